/** A TCP proxy that can keep the answers to one request from arriving, as a network does that breaks at the worst moment. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface WithholdingProxy extends AsyncDisposable {
  readonly port: number;
  /**
   * From the next bytes to the server on that hold this text, nothing comes back any more; `withheld` resolves
   * then. `reset` breaks the connection and lets later ones through.
   */
  withhold(text: string): { withheld: Promise<void>; reset: () => void };
}

/** Starts a proxy in front of a port of this machine. */
export async function startProxy(target: () => number): Promise<WithholdingProxy> {
  const sockets = new Set<Socket>();
  let watched: { text: string; hit: boolean; resolve: () => void } | undefined;

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
      if (watched?.hit === false && bytes.includes(watched.text)) {
        watched.hit = true;
        watched.resolve();
      }
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (watched?.hit !== true) client.write(bytes);
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
      watched = { text, hit: false, resolve };
      return {
        withheld: promise,
        reset: () => {
          watched = undefined;
          cut();
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
