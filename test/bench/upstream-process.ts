/** A fast HTTP API in a process of its own: it answers at once whoever sends its credential, and 401 to others. */
import { createServer } from 'node:http';
import { CREDENTIAL, THING } from './upstream.ts';

const HOST = '127.0.0.1';
const KEEP_ALIVE_MS = 60_000;
const authorized = `Bearer ${CREDENTIAL}`;

const server = createServer((request, response) => {
  request.resume();
  const allowed = request.headers.authorization === authorized;
  const body = allowed ? THING : '{"error":"credential required"}';
  response.writeHead(allowed ? 200 : 401, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
});
server.keepAliveTimeout = KEEP_ALIVE_MS;
server.listen(0, HOST, () => process.send?.({ url: addressOf() }));
process.once('disconnect', () => process.exit());

function addressOf(): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('A TCP server has a port.');
  return `http://${HOST}:${address.port}`;
}
