import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ServerProcess, startServer } from './processes.ts';

/** OP_MSG of the MongoDB wire protocol. */
const OP_MSG = 2013;

/** A server that speaks MongoDB's wire protocol, and where it is. */
export interface MongoServer extends AsyncDisposable {
  readonly server: ServerProcess;
  /** `mongodb://host:port/`. */
  readonly url: string;
}

/** Starts a FerretDB over SQLite files in its folder. */
export async function startMongo(): Promise<MongoServer> {
  const server = await startServer({
    variable: 'INTERLOCK_FERRETDB_BIN',
    program: 'ferretdb',
    prepare: async (folder, port) => {
      const data = join(folder, 'data');
      await mkdir(data, { recursive: true });
      return [
        '--handler=sqlite',
        `--sqlite-url=file:${data}/`,
        `--listen-addr=127.0.0.1:${port}`,
        `--state-dir=${folder}`,
        '--debug-addr=-',
        '--telemetry=disable',
        '--log-level=ERROR',
      ];
    },
    greeting: ping(),
  });
  return {
    server,
    url: `mongodb://127.0.0.1:${server.port}/`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Returns the wire form of `{ ping: 1, $db: 'admin' }`. */
function ping(): Uint8Array {
  const members = Buffer.concat([
    Buffer.from('\x10ping\0\x01\0\0\0', 'latin1'),
    Buffer.from('\x02$db\0\x06\0\0\0admin\0', 'latin1'),
  ]);
  const document = Buffer.concat([int32(members.length + 5), members, Buffer.from([0])]);
  const body = Buffer.concat([int32(0), Buffer.from([0]), document]);
  return Buffer.concat([int32(body.length + 16), int32(1), int32(0), int32(OP_MSG), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
