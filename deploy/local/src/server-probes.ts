/** Whether a server answers in its own protocol: one that only takes connections may do nothing else any more. */
import { connect } from 'node:net';

const HOST = '127.0.0.1';
/** A server answers within milliseconds. */
const ANSWER_MS = 2_000;

/** Where a server listens: a port of this machine, or a socket. */
export type Listening = number | string;

/** What a client says first, and any answer shows that the server works. NATS speaks first. */
const QUESTIONS = {
  'nats-server': '',
  // Without the password the answer is an error, which is an answer.
  'redis-server': 'PING\r\n',
  // OP_MSG with {ping: 1, $db: 'admin'}.
  ferretdb: Buffer.from('MwAAAAEAAAAAAAAA3QcAAAAAAAAAHgAAABBwaW5nAAEAAAACJGRiAAYAAABhZG1pbgAA', 'base64'),
} as const;
export type ServerName = keyof typeof QUESTIONS;

/** True when the server answers. */
export function answers(name: ServerName, at: Listening): Promise<boolean> {
  return tried(at, 'data', QUESTIONS[name]);
}

/** True when the server accepts a connection. */
export function acceptsConnections(at: Listening): Promise<boolean> {
  return tried(at, 'connect');
}

function tried(at: Listening, event: 'connect' | 'data', question: string | Buffer = ''): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({
      ...(typeof at === 'string' ? { path: at } : { host: HOST, port: at }),
      timeout: ANSWER_MS,
    });
    const answer = (did: boolean) => {
      socket.destroy();
      resolve(did);
    };
    socket.once('connect', () => socket.write(question));
    socket.once(event, () => answer(true));
    for (const failed of ['error', 'timeout', 'end'] as const) socket.once(failed, () => answer(false));
  });
}
