import {
  Fault,
  type HttpTarget,
  type Json,
  type Parse,
  type PolicyFacts,
  type Tool,
} from '@interlock/contracts';
import { carriesAny, originOf } from '@interlock/request';
import { type Destination, readUrl } from './url.ts';

/** What a reader knows of a tool: what its arguments hold, and where it sends to. */
export interface ReadTool {
  /** Undefined where only its server knows it. */
  inputSchema: Tool['inputSchema'] | undefined;
  parse: readonly Parse[];
  target: HttpTarget | { kind: 'mcp' };
}

/** Returns the destination of the request that an HTTP tool makes; undefined for other tools. */
export function ownDestination(
  tool: ReadTool,
  parsed: Readonly<Record<string, Json>>,
): { readable: true; destination: Destination & { method: string } } | { readable: false } | undefined {
  const { target } = tool;
  if (target.kind !== 'http') return undefined;
  const destination = destinationOf({ target, inputSchema: tool.inputSchema ?? {} }, parsed);
  if (destination === undefined) return { readable: false };
  return {
    readable: true,
    destination: {
      ...destination,
      method: target.method,
      carries: carriesAny(target, Object.keys(parsed)),
    },
  };
}

/** The destination depends on no argument but those in the host. One that does not fit there leaves it unreadable. */
function destinationOf(
  tool: Parameters<typeof originOf>[0],
  parsed: Readonly<Record<string, Json>>,
): Destination | undefined {
  try {
    return readUrl(originOf(tool, parsed));
  } catch (cause) {
    if (cause instanceof Fault) return undefined;
    throw cause;
  }
}

/** Returns a destination as a fact. It is new until the session stored it as used. */
export function destinationFact(
  destination: Destination,
  used: readonly string[],
): Omit<Extract<PolicyFacts['destinations'][number], { readable: true }>, 'at'> {
  return { readable: true, ...destination, firstUse: !used.includes(destination.origin) };
}
