import { type ServerProcess, startServer } from './processes.ts';

/** A redis-server and where it is. */
export interface RedisServer extends AsyncDisposable {
  readonly server: ServerProcess;
  /** `redis://host:port`. */
  readonly url: string;
}

/** Starts a Redis that evicts nothing and keeps its data over a restart. */
export async function startRedis(): Promise<RedisServer> {
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
      }).flatMap(([name, value]) => [`--${name}`, value]),
    greeting: Buffer.from('PING\r\n'),
  });
  return {
    server,
    url: `redis://127.0.0.1:${server.port}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
