/**
 * The fence round the MCP client: nothing else imports it.
 *
 * U1. The client offers no capability. What a server asks of it (sampling, elicitation, roots) is refused by the
 *     SDK with "method not found", and an `input_required` answer is not fulfilled.
 * U2. `tools/call` goes out once: the tool's definition is given with the call, which switches off the SDK's own
 *     second try, and nothing here tries again.
 * U3. A local server is started as `packages/sandbox` says, and in no other way.
 */
import { Fault, limits, type McpTransport } from '@interlock/contracts';
import type { LocalServer } from '@interlock/sandbox';
import {
  Client,
  type FetchLike,
  parseJSONRPCMessage,
  SdkError,
  SdkErrorCode,
  StreamableHTTPClientTransport,
  type VersionNegotiationMode,
} from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { z } from 'zod';
import { answeredBy, listedBy, type ToolAnswer } from './answer.ts';
import { definitionOf, type McpDefinition } from './definition.ts';
import { LastWords } from './last-words.ts';
import { McpLines } from './lines.ts';

/** One call of one tool. */
export interface McpCall {
  definition: McpDefinition;
  arguments: Readonly<Record<string, unknown>>;
  /** W3C Trace Context for the server. */
  trace: Readonly<Record<string, string>>;
  timeoutMs: number;
  signal: AbortSignal;
}

/** Every tool of a server by its name, as the server describes it. */
export type McpDefinitions = ReadonlyMap<string, McpDefinition>;

/** A connection to one upstream server. */
export interface McpConnection extends AsyncDisposable {
  readonly closed: boolean;
  /** Returns every tool of the server as it describes them now. Throws `upstream_failed`. */
  list(timeoutMs: number): Promise<McpDefinitions>;
  /** Calls a tool. Throws `egress_timeout` or `egress_broken` when there was no answer, or what `fetch` threw. */
  call(call: McpCall): Promise<ToolAnswer>;
}

export interface McpOptions {
  /** Carries streamable HTTP. */
  fetch: FetchLike;
  /** Prepares the process of a local server; called once for each try. */
  prepare: () => Promise<LocalServer>;
  timeoutMs: number;
  signal: AbortSignal;
  /** Called when a local server reports that its tools changed. */
  onToolsChanged: () => void;
  onClosed: () => void;
}

/** One page has some dozen tools, and sometimes one; a server with more pages than this does not end. */
const PAGES_MAX = 512;
const TOOLS_MAX = 1_024;
/** JSON escapes make a result longer on the wire than it is. */
const MESSAGE_BYTES_MAX = 2 * limits.resultBytes;
const CAUSES_MAX = 5;
const wrappingSchema = z.object({ data: z.object({ cause: z.unknown() }) });
const CLIENT = { name: 'interlock', version: '0.1.0' };
/** A stream that broke is not resumed: its call is unknown, and the next call opens a new connection. */
const NO_RECONNECTION = {
  initialReconnectionDelay: 1_000,
  maxReconnectionDelay: 1_000,
  reconnectionDelayGrowFactor: 1,
  maxRetries: 0,
};

/**
 * Connects to a server. Throws `upstream_failed`, or what `fetch` and `prepare` threw. There are local servers that end
 * when they are asked for the newer protocol: they are started once more, and asked for the older one.
 */
export async function connectMcp(connection: McpTransport, options: McpOptions): Promise<McpConnection> {
  if (connection.transport === 'http') return await connectOnce(connection, options, 'auto');
  try {
    return await connectOnce(connection, options, 'auto');
  } catch (cause) {
    if (!(cause instanceof EndedEarly) || options.signal.aborted) throw cause;
    return await connectOnce(connection, options, 'legacy');
  }
}

/** A local server that ended while its version was negotiated. */
class EndedEarly extends Fault {
  constructor(words: string, cause: unknown) {
    super('upstream_failed', {
      detail: `The local MCP server ended before it could be used. It has only the folders, the environment and the network that its tool file declares.${words}`,
      cause,
    });
  }
}

async function connectOnce(
  connection: McpTransport,
  options: McpOptions,
  mode: VersionNegotiationMode,
): Promise<McpConnection> {
  const { signal, timeoutMs } = options;
  const isLocal = connection.transport === 'stdio';
  const client = new Client(CLIENT, {
    // U1
    capabilities: {},
    listMaxPages: PAGES_MAX,
    inputRequired: { autoFulfill: false },
    // 2026-07-28 where the server speaks it, else 2025-11-25.
    versionNegotiation: { mode, probe: { timeoutMs } },
    // Over HTTP a subscription would be a request that never ends.
    ...(isLocal
      ? { listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: options.onToolsChanged } } }
      : {}),
  });
  const transport = await transportOf(connection, options);
  let closed = false;
  try {
    await client.connect(transport, { signal, timeout: timeoutMs });
    if (transport instanceof LocalTransport) transport.ready();
    client.onclose = () => {
      closed = true;
      options.onClosed();
      // A server that ended by itself leaves its folder.
      if (transport instanceof LocalTransport) transport.cleared().catch(() => {});
    };
  } catch (cause) {
    await client.close();
    await transport.close();
    const isEarly =
      cause instanceof SdkError &&
      (cause.code === SdkErrorCode.EraNegotiationFailed || cause.code === SdkErrorCode.ConnectionClosed);
    const words = transport instanceof LocalTransport ? transport.lastWords() : '';
    if (isLocal && isEarly) throw new EndedEarly(words, cause);
    const fault = faultOf(cause, 'The upstream server could not be reached.');
    throw words === '' ? fault : new Fault(fault.code, { detail: `${fault.detail}${words}`, cause: fault });
  }
  return {
    get closed() {
      return closed;
    },
    list: (listTimeoutMs) => list(client, listTimeoutMs),
    call: (call) => callTool(client, call),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function transportOf(connection: McpTransport, { fetch, prepare }: McpOptions) {
  switch (connection.transport) {
    case 'stdio':
      // U3
      return new LocalTransport(await prepare());
    case 'http':
      return new StreamableHTTPClientTransport(new URL(connection.url), {
        fetch,
        reconnectionOptions: NO_RECONNECTION,
      });
    default:
      return connection satisfies never;
  }
}

/**
 * The pipes of a local server. What it writes to its standard error before it can be used says why it cannot; later that
 * may hold a call's arguments, and is not kept.
 */
class LocalTransport extends StdioClientTransport {
  readonly #server: LocalServer;
  readonly #lines = new McpLines(MESSAGE_BYTES_MAX);
  readonly #words = new LastWords();

  constructor(server: LocalServer) {
    const { command, args, env, cwd } = server;
    super({ command, args, env, cwd, stderr: 'pipe', maxBufferSize: MESSAGE_BYTES_MAX });
    this.#server = server;
    const lines = this.#lines;
    // The transport reads its messages from this member, and there is no other place where they can be seen as written.
    Object.assign(this, {
      _readBuffer: {
        append: (chunk: Buffer) => lines.append(chunk),
        clear: () => lines.clear(),
        readMessage: () => {
          const message = lines.next();
          return message === undefined ? null : parseJSONRPCMessage(message);
        },
      },
    });
  }

  /** Returns what the server said last before it was ready, as text to be put behind an error; empty where it said nothing. */
  lastWords(): string {
    return this.#words.text();
  }

  ready(): void {
    this.#words.forget();
  }

  override async start(): Promise<void> {
    this.stderr?.on('data', (chunk: Buffer) => this.#words.add(chunk));
    await super.start();
    if (this.pid !== null) this.#server.watch(this.pid);
  }

  override async send(message: Parameters<StdioClientTransport['send']>[0]): Promise<void> {
    this.#server.requested();
    this.#lines.sent(message);
    await super.send(message);
  }

  override async close(): Promise<void> {
    await super.close();
    await this.cleared();
  }

  /** Removes what a server that has ended leaves behind. A second time there is nothing to remove. */
  async cleared(): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

async function list(client: Client, timeoutMs: number): Promise<McpDefinitions> {
  try {
    const tools = await listedBy(() =>
      client.listTools(undefined, { timeout: timeoutMs, cacheMode: 'refresh' }),
    );
    if (tools.length > TOOLS_MAX)
      throw new Fault('upstream_failed', { detail: `The upstream server has more than ${TOOLS_MAX} tools.` });
    const definitions = tools.flatMap((tool) => definitionOf(tool) ?? []);
    return new Map(definitions.map((definition) => [definition.name, definition]));
  } catch (cause) {
    throw faultOf(cause, 'The upstream server did not list its tools.');
  }
}

async function callTool(client: Client, { definition, ...call }: McpCall): Promise<ToolAnswer> {
  const { name, inputSchema } = definition;
  try {
    return await answeredBy(() =>
      client.callTool(
        { name, arguments: { ...call.arguments }, _meta: { ...call.trace } },
        // U2. Without its output schema: an answer that does not fit is an answer nevertheless, and the effect is done.
        {
          timeout: call.timeoutMs,
          signal: call.signal,
          toolDefinition: { name, inputSchema: { ...inputSchema, type: 'object' } },
        },
      ),
    );
  } catch (cause) {
    throw faultOf(cause, 'The upstream server did not answer the call.');
  }
}

function faultOf(cause: unknown, detail: string): Fault {
  const fault = faultWithin(cause);
  if (fault !== undefined) return fault;
  if (cause instanceof SdkError && cause.code === SdkErrorCode.RequestTimeout)
    return new Fault('egress_timeout', { cause });
  if (cause instanceof SdkError && cause.code === SdkErrorCode.ConnectionClosed)
    return new Fault('egress_broken', { cause });
  return new Fault('upstream_failed', { detail, cause });
}

/** The SDK wraps what `fetch` threw while it negotiates: the fault inside is more exact than the wrapping. */
function faultWithin(cause: unknown): Fault | undefined {
  if (cause instanceof Fault) return cause;
  for (
    let error = cause, depth = 0;
    error instanceof Error && depth < CAUSES_MAX;
    error = error.cause, depth += 1
  ) {
    if (error.cause instanceof Fault) return error.cause;
    const { cause: inData } = wrappingSchema.safeParse(error).data?.data ?? {};
    if (inData instanceof Fault) return inData;
  }
  return undefined;
}
