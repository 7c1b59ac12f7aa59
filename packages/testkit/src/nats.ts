import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ServerProcess, startServer } from './processes.ts';

/** A nats-server and where it is. */
export interface NatsServer extends AsyncDisposable {
  readonly server: ServerProcess;
  /** `nats://host:port`. */
  readonly url: string;
}

/**
 * Starts a nats-server with a configuration, which is asked for again at each restart. `folder` is where its
 * store belongs; it must listen on 127.0.0.1 at `port`.
 */
export async function startNats({
  configText,
}: {
  configText: (folder: string, port: number) => string;
}): Promise<NatsServer> {
  const server = await startServer({
    variable: 'INTERLOCK_NATS_SERVER_BIN',
    program: 'nats-server',
    prepare: async (folder, port) => {
      const path = join(folder, 'nats.conf');
      await writeFile(path, configText(folder, port), { mode: 0o600 });
      return ['-c', path];
    },
  });
  return {
    server,
    url: `nats://127.0.0.1:${server.port}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
