import { once } from 'node:events';
import { connect } from 'node:net';
import { type ServerProcess, startServer } from './processes.ts';

const ANSWER_DEADLINE_MS = 5_000;

/** A redis-server and where it is. */
export interface RedisServer extends AsyncDisposable {
  readonly server: ServerProcess;
  /** `redis://host:port`. */
  readonly url: string;
  /** Runs one command on a connection of its own and returns the first line of the answer. */
  command(line: string): Promise<string>;
}

/** Starts a Redis that evicts nothing and keeps its data over a restart, unless its options say otherwise. */
export async function startRedis(options: Readonly<Record<string, string>> = {}): Promise<RedisServer> {
  const server = await startServer({
    variable: 'INTERLOCK_REDIS_BIN',
    program: 'redis-server',
    prepare: (folder, port) =>
      Object.entries({
        port: String(port),
        bind: '127.0.0.1',
        dir: folder,
        daemonize: 'no',
        save: '',
        appendonly: 'yes',
        'maxmemory-policy': 'noeviction',
        ...options,
      }).flatMap(([name, value]) => [`--${name}`, value]),
    greeting: Buffer.from('PING\r\n'),
  });
  return {
    server,
    url: `redis://127.0.0.1:${server.port}`,
    command: (line) => answerTo(line, server.port),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function answerTo(line: string, port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  try {
    socket.write(`${line}\r\n`);
    const [answer] = await once(socket, 'data', { signal: AbortSignal.timeout(ANSWER_DEADLINE_MS) });
    return String(answer).split('\r\n')[0] ?? '';
  } finally {
    socket.destroy();
  }
}
