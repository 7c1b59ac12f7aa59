/** Requests that a strict HTTP/1.1 server refuses, and a way to send them as they are. */
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { processEnvironment } from '@interlock/shell';

/** A request as bytes; `<HOST>` stands for the host and port it is sent to. */
export interface HttpCase {
  id: string;
  payload: string;
}

/** Who sends a case and to which route, so that it is refused for its form alone. */
export interface HttpSender {
  url: string;
  /** Routes that answer 2xx when they are asked well-formed. */
  routes: { GET: string; POST: string };
  /** Header lines of a request that is accepted, each with its line end. */
  headers: string;
}

/** What came back: the status of the first answer, 0 where the connection was closed without one. */
export interface HttpReply {
  status: number;
  text: string;
}

/** Cases of our own, of the kinds that public collections have more of. */
const OWN_CASES: readonly HttpCase[] = [
  own('two equal hosts', 'GET / HTTP/1.1\r\nHost: <HOST>\r\nHost: <HOST>\r\n\r\n'),
  own('two hosts', 'GET / HTTP/1.1\r\nHost: <HOST>\r\nhost: elsewhere.example\r\n\r\n'),
  own('no host', 'GET / HTTP/1.1\r\nX-Host: <HOST>\r\n\r\n'),
  own('an empty host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n'),
  own('a host with a user', 'GET / HTTP/1.1\r\nHost: me@<HOST>\r\n\r\n'),
  own('a host with a path', 'GET / HTTP/1.1\r\nHost: <HOST>/x\r\n\r\n'),
  own('a host with a blank', 'GET / HTTP/1.1\r\nHost: <HOST> x\r\n\r\n'),
  own('a host with two ports', 'GET / HTTP/1.1\r\nHost: <HOST>:1\r\n\r\n'),
  own('an asterisk', 'GET * HTTP/1.1\r\nHost: <HOST>\r\n\r\n'),
  own('an absolute target', 'GET http://<HOST>/ HTTP/1.1\r\nHost: <HOST>\r\n\r\n'),
  own('a fragment', 'GET /#x HTTP/1.1\r\nHost: <HOST>\r\n\r\n'),
  own('a backslash', 'GET /\\x HTTP/1.1\r\nHost: <HOST>\r\n\r\n'),
  own('bytes beyond ASCII in the target', 'GET /\xe9 HTTP/1.1\r\nHost: <HOST>\r\n\r\n'),
  own('a bare line feed', 'GET / HTTP/1.1\nHost: <HOST>\n\n'),
  own('a folded header', 'GET / HTTP/1.1\r\nHost: <HOST>\r\nX: a\r\n b\r\n\r\n'),
  own('a blank before the colon', 'GET / HTTP/1.1\r\nHost: <HOST>\r\nX : a\r\n\r\n'),
  own('two lengths', 'POST / HTTP/1.1\r\nHost: <HOST>\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}'),
  own(
    'two equal lengths',
    'POST / HTTP/1.1\r\nHost: <HOST>\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}',
  ),
  own(
    'a length and chunks',
    'POST / HTTP/1.1\r\nHost: <HOST>\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ),
  own('an unknown coding', 'POST / HTTP/1.1\r\nHost: <HOST>\r\nTransfer-Encoding: gzip\r\n\r\n'),
  own(
    'chunks twice',
    'POST / HTTP/1.1\r\nHost: <HOST>\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ),
  own('a length with an underscore', 'POST / HTTP/1.1\r\nHost: <HOST>\r\nContent_Length: 2\r\n\r\n'),
  own('two authorizations', 'GET / HTTP/1.1\r\nHost: <HOST>\r\nAuthorization: Bearer other\r\n\r\n'),
  own(
    'two media types',
    'POST / HTTP/1.1\r\nHost: <HOST>\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}',
  ),
];

/** Returns every strict case: ours, and those of the public collection where it is present. */
export function strictHttpCases(): HttpCase[] {
  return [...OWN_CASES, ...testbedCases()];
}

function own(id: string, payload: string): HttpCase {
  return { id, payload };
}

interface TestbedCase {
  id: string;
  scored: boolean;
  payload: string | null;
  expect: unknown;
  expected_desc: string | null;
}

/** Http11Probe's cases that a strict server refuses; the collection's README says what it holds. */
export function testbedCases(): HttpCase[] {
  const folder =
    processEnvironment()['INTERLOCK_TESTBEDS'] ?? resolve(import.meta.dirname, '../../../../shared/testbeds');
  const file = join(folder, 'http11probe.json');
  if (!existsSync(file)) return [];
  const cases: TestbedCase[] = JSON.parse(readFileSync(file, 'utf8'));
  return cases.flatMap(({ id, scored, payload, expect, expected_desc: described }) => {
    const isRefused = Array.isArray(expect)
      ? expect[0] === 'Exact'
      : described !== null && !/[12]xx|[12]0[0-9]/.test(described);
    return scored && payload !== null && isRefused ? [{ id, payload }] : [];
  });
}

/** Sends a case as an accepted sender to an accepted route, then ends its side; resolves when the server closed too. */
export async function sendHttpCase({ payload }: HttpCase, sender: HttpSender): Promise<HttpReply> {
  const { hostname, port, host } = new URL(sender.url);
  const text = payload
    .replaceAll('<HOST>', host)
    .replace(
      /^(GET|POST|DELETE)( +)\/(?:echo)?(?=[ #\\?])/,
      (_, method: string, blank: string) =>
        `${method}${blank}${method === 'POST' ? sender.routes.POST : sender.routes.GET}`,
    )
    .replace(/(\r?\n)(\r?\n)/, (_, first: string, second: string) => `${first}${sender.headers}${second}`);
  return await new Promise((resolved) => {
    let answer = '';
    const socket = connect(Number(port), hostname);
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
    });
    // A reset connection is a closed one.
    socket.on('error', () => undefined);
    socket.on('close', () =>
      resolved({ status: Number(/^HTTP\/1\.1 ([0-9]{3})/.exec(answer)?.[1] ?? 0), text: answer }),
    );
    socket.end(text, 'latin1');
  });
}
