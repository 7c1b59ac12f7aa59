import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { z } from 'zod';
import type { Line } from '../line.ts';

const portsSchema = z.object({ redis: z.int() });

/** Removes everything Redis remembers, by the inline form of its protocol. */
export async function emptyRedis({ interlock }: Line): Promise<void> {
  const { redis } = portsSchema.parse(
    JSON.parse(await readFile(path.join(interlock.data, 'ports.json'), 'utf8')),
  );
  const socket = connect({ host: '127.0.0.1', port: redis });
  socket.write('FLUSHALL\r\n');
  const [answer] = await once(socket, 'data');
  socket.destroy();
  if (String(answer) !== '+OK\r\n') throw new Error(`Redis answered ${answer}`);
}
