/** A TCP proxy that can keep the answers to one request from arriving, as a network does that breaks at the worst moment. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface WithholdingProxy extends AsyncDisposable {
  readonly port: number;
  /**
   * From the next bytes to the server on that hold this text, nothing comes back on their connection any more;
   * `withheld` resolves then. `reset` breaks that connection; `release` hands over late what was withheld.
   */
  withhold(text: string): { withheld: Promise<void>; reset: () => void; release: () => void };
}

/** Starts a proxy in front of a port of this machine. */
export async function startProxy(target: () => number): Promise<WithholdingProxy> {
  const sockets = new Set<Socket>();
  let watched: { text: string; by: Socket | undefined; kept: Buffer[]; resolve: () => void } | undefined;

  const server = createServer((client) => {
    const upstream = connect({ host: '127.0.0.1', port: target() });
    const both = [client, upstream];
    for (const socket of both) {
      sockets.add(socket);
      socket.on('error', () => both.forEach((one) => void one.destroy()));
      socket.on('close', () => {
        sockets.delete(socket);
        both.forEach((one) => void one.destroy());
      });
    }
    client.on('data', (bytes) => {
      if (watched !== undefined && watched.by === undefined && bytes.includes(watched.text)) {
        watched.by = client;
        watched.resolve();
      }
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (watched?.by === client) watched.kept.push(bytes);
      else client.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('A TCP server has a port.');
  const cut = () => sockets.forEach((socket) => void socket.destroy());
  return {
    port: address.port,
    withhold: (text) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      watched = { text, by: undefined, kept: [], resolve };
      return {
        withheld: promise,
        reset: () => {
          watched?.by?.destroy();
          watched = undefined;
        },
        release: () => {
          watched?.by?.write(Buffer.concat(watched.kept));
          watched = undefined;
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}
