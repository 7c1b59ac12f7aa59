/** What the limiter's tests need of a Redis: options of its own, commands, and the records of an installation. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Records } from '@interlock/bus';
import { Secret } from '@interlock/keys';
import { eventually, type ServerProcess, startServer, startTestBus } from '@interlock/testkit';
import { type Counters, openCounters } from './counters.ts';
import { type Epoch, epochSchema } from './epoch.ts';

const READY_WITHIN_MS = 10_000;

export interface RedisUnderTest extends AsyncDisposable {
  readonly url: Secret;
  readonly server: ServerProcess;
  /** Runs one command on a connection of its own and returns the first line of the answer. */
  command(line: string): Promise<string>;
}

/** Starts a Redis that keeps nothing over a restart unless its options say so. */
export async function startRedis(options: Record<string, string> = {}): Promise<RedisUnderTest> {
  const server = await startServer({
    variable: 'INTERLOCK_REDIS_BIN',
    program: 'redis-server',
    prepare: (folder, port) =>
      Object.entries({ port: `${port}`, bind: '127.0.0.1', dir: folder, save: '', ...options }).flatMap(
        ([name, value]) => [`--${name}`, value],
      ),
    greeting: Buffer.from('PING\r\n'),
  });
  return {
    url: new Secret(`redis://127.0.0.1:${server.port}`),
    server,
    async command(line) {
      const socket = connect(server.port, '127.0.0.1').setEncoding('utf8');
      socket.write(`${line}\r\n`);
      const [answer] = await once(socket, 'data');
      socket.destroy();
      return String(answer).split('\r\n')[0] ?? '';
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Opens counters on a Redis and waits until they are ready. */
export async function readyCounters(redis: RedisUnderTest, { epochs }: Installation): Promise<Counters> {
  const counters = openCounters({ url: redis.url, epochs, log: silent });
  await eventually(() => counters.ready === true, READY_WITHIN_MS);
  return counters;
}

/** The durable records of an installation: one Redis' worth of history. */
export interface Installation extends AsyncDisposable {
  readonly epochs: Records<Epoch>;
}

/** Starts the bus of an installation whose limiter has never run. */
export async function installation(): Promise<Installation> {
  await using stack = new AsyncDisposableStack();
  const house = stack.use(await startTestBus());
  const epochs = (await house.busOf('limiter')).records('epochs', epochSchema);
  const owned = stack.move();
  return { epochs, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

export const silent = { info() {}, warn() {}, debug() {}, error() {} };
