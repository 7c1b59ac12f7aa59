/**
 * What our HTTP servers refuse before a route is chosen, whatever the framework would accept.
 *
 * H1. A request has one meaning: one Host that is an authority, an absolute path, and no header twice that may stand
 *     once. A proxy in front of us that read it in another way could be made to let something through.
 * H2. Nobody holds a connection by sending slowly what nobody reads: when an answer was sent before its request was
 *     complete, the connection is cut soon after, unless the request has arrived by then.
 * H3. One network address holds a limited number of connections, so it cannot take all of them.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { isIPv6, type Socket } from 'node:net';

/** Connections of one address, where nothing else is configured: many more than a client keeps open. */
export const CONNECTIONS_PER_ADDRESS = 256;
/** How long a client may take to read an answer while it still sends. */
const LINGER_MS = 1_000;
/** RFC 9110, section 7.2: a host and perhaps a port, without a user, a path or blanks. */
const HOST = /^(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~!$&'()*+,;=%-]{1,255})(?::[0-9]{0,5})?$/;
/** RFC 9112, section 3.2.1: a path and perhaps a query, in visible ASCII. */
const TARGET = /^\/[!"$-[\]-~]*$/;
/** Headers that may stand once. Node takes the first of two and drops the other without a word. */
const SINGLE = new Set([
  'authorization',
  'content-length',
  'content-type',
  'host',
  'idempotency-key',
  'interlock-trace-token',
  'origin',
  'transfer-encoding',
]);

/** Returns what is wrong with a request's head, in words for its sender; undefined where nothing is (H1). */
export function headMistake({
  url = '',
  method,
  httpVersion,
  rawHeaders,
}: Pick<IncomingMessage, 'url' | 'method' | 'httpVersion' | 'rawHeaders'>): string | undefined {
  const seen = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const written = (rawHeaders[at] ?? '').toLowerCase();
    // Some servers read an underscore in a name as a hyphen.
    const name = written.replaceAll('_', '-');
    if (!SINGLE.has(name)) continue;
    if (written !== name) return `The header ${written} is not known; its name has a hyphen.`;
    if (seen.has(name)) return `The header ${name} may stand once only.`;
    seen.add(name);
    if (name === 'host' && !HOST.test(rawHeaders[at + 1] ?? ''))
      return 'The header host must be a host name and perhaps a port.';
  }
  if (!seen.has('host') && httpVersion !== '1.0') return 'The header host is missing.';
  if (TARGET.test(url) || (url === '*' && method === 'OPTIONS')) return undefined;
  return 'The target of the request must be a path that begins with a slash, without "#" and "\\".';
}

/** Cuts connections whose request is still arriving a moment after its answer was sent (H2). */
export function cutUnreadRequests(server: Server): void {
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    response.once('finish', () => {
      if (request.complete) return;
      // What has arrived whole in the meantime leaves the connection to the requests that follow it.
      const timer = setTimeout(() => {
        if (!request.complete) request.socket.destroy();
      }, LINGER_MS);
      request.once('close', () => clearTimeout(timer));
    });
  });
}

/** Sends the last answer of a connection, and closes it whether its client reads or not (H2). */
export function endConnection(socket: Socket, answer: string): void {
  socket.end(answer);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}

/** Closes connections of an address above its limit, before anything of them is read (H3). */
export function limitConnections(server: Server, perAddress: number): void {
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = networkOf(socket.remoteAddress ?? '');
    const count = (open.get(address) ?? 0) + 1;
    if (count > perAddress) {
      socket.destroy();
      return;
    }
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
  });
}

const MAPPED = '::ffff:';
/** The part of an IPv6 address that a network gives to one customer. */
const NETWORK_GROUPS = 4;
const GROUPS = 8;

/** Returns what counts as one address: an IPv4 address, or the /64 network of an IPv6 address. */
export function networkOf(address: string): string {
  if (address.startsWith(MAPPED) && !isIPv6(address.slice(MAPPED.length)))
    return address.slice(MAPPED.length);
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: GROUPS - first.length - last.length }, () => '0');
  return [...first, ...zeros, ...last].slice(0, NETWORK_GROUPS).join(':');
}
