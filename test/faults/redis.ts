import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import type { Line } from '../line.ts';

/** Removes everything Redis remembers, by the inline form of its protocol. */
export async function emptyRedis({ interlock }: Line): Promise<void> {
  const settings = await readFile(path.join(interlock.data, 'redis.conf'), 'utf8');
  const [, socketPath = ''] = /^unixsocket "(.*)"$/m.exec(settings) ?? [];
  const [, password = ''] = /^requirepass (.*)$/m.exec(settings) ?? [];
  const socket = connect({ path: socketPath });
  socket.write(`AUTH ${password}\r\nFLUSHALL\r\n`);
  let answer = '';
  // Leaving the loop destroys the socket. A Redis that is ended meanwhile closes it.
  for await (const piece of socket) {
    answer += String(piece);
    if (answer.includes('-')) throw new Error(`Redis answered ${answer}`);
    if (answer.endsWith('+OK\r\n+OK\r\n')) return;
  }
  throw new Error(`Redis closed the connection after ${answer}`);
}
