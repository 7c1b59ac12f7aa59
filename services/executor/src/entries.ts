import type { Bus, Entries, EntryWatch } from '@interlock/bus';
import { Fault, type Statement, switchKeysOf, type Tool, toolVersionOf } from '@interlock/contracts';

/** The entries an executor acts on, verified and live. */
export interface ExecutorEntries extends AsyncDisposable {
  /** True when the copies are current, else why they are not. */
  readonly ready: true | string;
  /** Returns the tool in the very version that was decided. Throws `tool_changed`. */
  pinned(statement: Pick<Statement<'decision'>, 'tool' | 'toolVersion'>): Promise<Tool>;
  /** Whether a switch stops the call. A copy that may be behind stops it, too: unsure means no. */
  stopOf(call: {
    tenant: string;
    agent: string;
    tool: Tool;
  }): 'killed' | 'dependency_unavailable' | undefined;
}

/** Watches tools and kill switches. */
export async function watchEntries(bus: Pick<Bus, 'entries'>): Promise<ExecutorEntries> {
  await using stack = new AsyncDisposableStack();
  const entries = bus.entries('tools');
  const tools = stack.use(await entries.watch());
  const switches = stack.use(await bus.entries('switches').watch());
  const versions = new Map<string, { tool: Tool; version: string }>();
  tools.onChange((name, tool) => {
    if (tool === undefined) versions.delete(name);
    else versions.set(name, { tool, version: toolVersionOf(tool) });
  });
  const owned = stack.move();
  return {
    get ready() {
      return (tools.current && switches.current) || 'tools or kill switches may be behind';
    },
    pinned: ({ tool, toolVersion }) => {
      const known = versions.get(tool);
      return known?.version === toolVersion
        ? Promise.resolve(known.tool)
        : readPinned(entries, tool, toolVersion);
    },
    stopOf: (call) => stopOf(switches, call),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Returns what stops a call, if anything does. */
export function stopOf(
  switches: Pick<EntryWatch<'switches'>, 'current' | 'get'>,
  { tenant, agent, tool }: { tenant: string; agent: string; tool: Tool },
): 'killed' | 'dependency_unavailable' | undefined {
  if (!switches.current) return 'dependency_unavailable';
  const keys = switchKeysOf({ tenant, agent, tool: tool.name, credential: tool.credential?.name });
  return keys.some((key) => switches.get(key)?.on === true) ? 'killed' : undefined;
}

/** The copy does not have the version that was decided: the leader says whether the copy or the call is behind. */
async function readPinned(entries: Entries<'tools'>, name: string, version: string): Promise<Tool> {
  const entry = await entries.get(name);
  if (entry === undefined || toolVersionOf(entry.value) !== version) throw new Fault('tool_changed');
  return entry.value;
}
