/** A wire tap between the agent and the ingress: it forwards every byte unchanged, and records it. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Failure } from '@interlock/shell';

const HOST = '127.0.0.1';
/** Far above the traffic of a demo. A tap that cannot record everything must not claim that it did. */
const KEPT_MAX_BYTES = 64 * 1_048_576;

/** All bytes of one connection, in their order. */
interface Recording {
  sent: Buffer[];
  received: Buffer[];
}

export interface Wiretap extends AsyncDisposable {
  /** The address that the agent uses instead of that of the ingress. */
  readonly url: string;
  readonly connections: number;
  readonly bytes: number;
  /** Tells whether a text was recorded in either direction. */
  recorded(text: string): boolean;
}

/** Listens on a free port and forwards everything to `target`, an HTTP address. */
export async function openWiretap(target: string): Promise<Wiretap> {
  const { hostname, port } = new URL(target);
  const recordings: Recording[] = [];
  const sockets = new Set<Socket>();
  let bytes = 0;
  const keep = (chunks: Buffer[]) => (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > KEPT_MAX_BYTES) for (const socket of sockets) socket.destroy();
    else chunks.push(chunk);
  };
  const server = createServer((agent) => {
    const recording: Recording = { sent: [], received: [] };
    recordings.push(recording);
    const ingress = connect({ host: hostname, port: Number(port) });
    agent.on('data', keep(recording.sent));
    ingress.on('data', keep(recording.received));
    agent.pipe(ingress);
    ingress.pipe(agent);
    for (const [socket, other] of [
      [agent, ingress],
      [ingress, agent],
    ] as const) {
      sockets.add(socket);
      // A connection that breaks on one side breaks on the other; the agent's client reports it.
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null)
    throw new Failure('port_taken', `No port of ${HOST} is free.`);
  return {
    url: `http://${HOST}:${address.port}`,
    get connections() {
      return recordings.length;
    },
    get bytes() {
      return bytes;
    },
    recorded: (text) =>
      recordings.some(({ sent, received }) =>
        [sent, received].some((chunks) => Buffer.concat(chunks).includes(text)),
      ),
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
