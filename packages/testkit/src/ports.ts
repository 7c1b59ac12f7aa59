import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below what systems give to outgoing connections (from 32768 on): one of those may be taken before a server
 * listens on it, or before it is started again. The command's own servers are below these.
 */
const FIRST = 24_576;
const COUNT = 8_192;
/** Every process begins at ports of its own, so that test files that run side by side do not race for one. */
const OWN_COUNT = 32;
const TRIES = 1_024;
let tried = 0;

/** Returns a port of 127.0.0.1 on which nothing listens, and which the system does not give to outgoing connections. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const port = FIRST + ((process.pid * OWN_COUNT + tried) % COUNT);
    tried += 1;
    if (await isFree(port)) return port;
  }
  throw new Error('No port of 127.0.0.1 is free.');
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const closed = once(server, 'close');
    server.close();
    await closed;
    return true;
  } catch {
    return false;
  }
}
