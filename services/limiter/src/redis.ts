/**
 * The only importer of the Redis client.
 *
 * S1. The client queues nothing and sends nothing twice by itself: a command is answered within its timeout or fails,
 *     and the caller tries again. Each script is harmless when it runs twice.
 * S2. A connection is used only after the server was inspected: it must be new enough, writable, and must never evict,
 *     because an evicted counter would be forgotten in the agent's favour.
 */
import { createHash } from 'node:crypto';
import { Fault } from '@interlock/contracts';
import type { Secret } from '@interlock/keys';
import { Redis } from 'ioredis';

/** Connecting takes milliseconds. A server that needs longer does not answer. */
const CONNECT_TIMEOUT_MS = 2_000;
/** Scripts take well under a millisecond. A server that needs a second does not answer. */
const COMMAND_TIMEOUT_MS = 1_000;
/** A connection on which commands stay unanswered this long is broken, and is opened anew. */
const SILENCE_MAX_MS = 3_000;
const RECONNECT_FIRST_MS = 50;
/** Short enough to reconnect well within the ten seconds promised after an outage. */
const RECONNECT_MAX_MS = 2_000;
const KEEP_ALIVE_MS = 10_000;
const VERSION_MIN = 7;

/** A Lua script and the digest the server knows it by. */
export interface Script {
  readonly lua: string;
  readonly sha1: string;
}

/** What the server reports about itself. */
export interface RedisServer {
  /** Changes with every start of the server. */
  runId: string;
  /** True when each write is on disk before it is answered, so that a restart forgets nothing. */
  keepsEveryWrite: boolean;
}

export interface RedisConnection extends AsyncDisposable {
  readonly up: boolean;
  /** Resolves when the connection is up. Throws `dependency_unavailable` after a while. */
  whenUp(timeoutMs: number): Promise<void>;
  /** Calls back when the connection is made and when it is lost. */
  onChange(listener: (up: boolean) => void): void;
  /** Reads what the server reports about itself (S2). Throws `dependency_unavailable` when it may not be used. */
  inspect(): Promise<RedisServer>;
  /** Runs a script that answers with a text. Throws `dependency_unavailable` when it is not known whether it ran. */
  run(script: Script, keys: string[], args: string[]): Promise<string>;
}

/** Returns a script under the digest the server will know it by. */
export function scriptOf(lua: string): Script {
  return { lua, sha1: createHash('sha1').update(lua).digest('hex') };
}

/** Opens a connection that reconnects by itself. It returns at once: `up` is true while it is connected. */
export function connectRedis(
  { url, password }: { url: Secret; password: Secret | undefined },
  warn: (error: Error) => void,
): RedisConnection {
  const address = url.reveal();
  const socket = URL.parse(address);
  const options = {
    ...(password === undefined ? {} : { password: password.reveal() }),
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: SILENCE_MAX_MS,
    keepAlive: KEEP_ALIVE_MS,
    noDelay: true,
    // S1
    enableOfflineQueue: false,
    enableReadyCheck: true,
    enableAutoPipelining: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times: number) =>
      Math.min(RECONNECT_FIRST_MS * 2 ** Math.min(times, 10), RECONNECT_MAX_MS),
    connectionName: 'interlock-limiter',
  };
  // `unix:///path` names a socket; the client reads every other address itself.
  const client =
    socket?.protocol === 'unix:'
      ? new Redis({ ...options, path: decodeURIComponent(socket.pathname) })
      : new Redis(address, options);
  client.on('error', (error: unknown) => warn(withoutCommand(error)));
  // The first attempt may fail like any other: `error` reported it, and the retry strategy goes on.
  client.connect().catch(() => undefined);
  return {
    get up() {
      return client.status === 'ready';
    },
    whenUp: (timeoutMs) => whenUp(client, timeoutMs),
    onChange(listener) {
      client.on('ready', () => listener(true));
      client.on('close', () => listener(false));
    },
    inspect: () => inspect(client),
    run: (script, keys, args) => run(client, script, keys, args),
    async [Symbol.asyncDispose]() {
      client.disconnect();
    },
  };
}

async function whenUp(client: Redis, timeoutMs: number): Promise<void> {
  if (client.status === 'ready') return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(unavailable('The limiter is disconnected from Redis.')), timeoutMs);
  client.once('ready', resolve);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    client.off('ready', resolve);
  }
}

async function inspect(client: Redis): Promise<RedisServer> {
  const facts = await answerOf(() => client.info()).then(parseFacts);
  const version = facts.get('redis_version') ?? '';
  if (!(Number.parseInt(version, 10) >= VERSION_MIN))
    throw unavailable(`Redis is version ${version || 'unknown'}; ${VERSION_MIN} or newer is needed.`);
  if (facts.get('maxmemory_policy') !== 'noeviction')
    throw unavailable('Redis has a maxmemory-policy other than noeviction, so it could forget counters.');
  if (facts.get('role') !== 'master') throw unavailable('Redis is a replica, which accepts no writes.');
  const runId = facts.get('run_id');
  if (runId === undefined) throw unavailable('Redis does not report its run id.');
  return { runId, keepsEveryWrite: facts.get('aof_enabled') === '1' && (await syncsAlways(client)) };
}

function parseFacts(text: string): Map<string, string> {
  return new Map(
    text.split(/\r?\n/).flatMap((line): [string, string][] => {
      const colon = line.indexOf(':');
      return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]];
    }),
  );
}

/** A server that does not allow the question counts as one that may lose writes. */
async function syncsAlways(client: Redis): Promise<boolean> {
  try {
    const answer: unknown = await client.config('GET', 'appendfsync');
    return Array.isArray(answer) && answer[1] === 'always';
  } catch {
    return false;
  }
}

async function run(client: Redis, script: Script, keys: string[], args: string[]): Promise<string> {
  const answer: unknown = await answerOf(async () => {
    try {
      return await client.evalsha(script.sha1, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return await client.eval(script.lua, keys.length, ...keys, ...args);
    }
  });
  if (typeof answer !== 'string') throw new Error('A script answered with something other than a text.');
  return answer;
}

async function answerOf<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    throw unavailable('Redis did not answer.', withoutCommand(cause));
  }
}

/** The client attaches the failed command to its errors, and that may be the one that logs in with the password. */
function withoutCommand(error: unknown): Error {
  const plain = new Error(error instanceof Error ? error.message : 'The Redis client threw something else.');
  if (error instanceof Error) plain.name = error.name;
  return plain;
}

function unavailable(detail: string, cause?: unknown): Fault {
  return new Fault('dependency_unavailable', { detail, cause });
}
