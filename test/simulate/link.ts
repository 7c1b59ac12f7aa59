/** A TCP link to a server that can be cut, or go silent without a word, as networks do. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Link extends AsyncDisposable {
  readonly port: number;
  /** Resets every connection. */
  cut(): void;
  /** Passes nothing on, in either direction, until `resume`. */
  stall(): void;
  resume(): void;
}

/** Opens a link to a port of this machine. */
export async function openLink(port: number): Promise<Link> {
  const sockets = new Set<Socket>();
  let stalled = false;
  const own = (socket: Socket, other: Socket) => {
    sockets.add(socket);
    if (stalled) socket.pause();
    socket.on('error', () => other.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      other.destroy();
    });
    socket.pipe(other);
  };
  const server = createServer((client) => {
    const upstream = connect({ host: '127.0.0.1', port });
    own(client, upstream);
    own(upstream, client);
    if (stalled) for (const socket of [client, upstream]) socket.pause();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('A TCP server has a port.');
  return {
    port: address.port,
    cut: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    stall: () => {
      stalled = true;
      for (const socket of sockets) socket.pause();
    },
    resume: () => {
      stalled = false;
      for (const socket of sockets) socket.resume();
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
