/**
 * Requests that tell a strict HTTP/1.1 server from others, what must come back, and a way to send them as they are.
 *
 * Not judged, of Http11Probe: what has no bytes in the collection (own cases are of the same kinds), validators of caches
 * and ranges (nothing here has any), and echoes of cookies (nothing here reads them: such a request must only not break
 * anything). OPTIONS, and HEAD at ingress, are offered by no route, which the collection counts as a fault.
 */
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { processEnvironment } from '@interlock/shell';

/** A request as bytes; `<HOST>` stands for the host and port it is sent to. */
export interface HttpCase {
  id: string;
  payload: string;
  expected: HttpExpectation;
}

/**
 * Refused: 4xx, or closed without an answer. Served: 2xx. Echoed: served, and the body had been read exactly as it was
 * meant. Closed: served, and closed by the server. Bodiless: served without a body, or refused. Either: served or refused.
 */
export type HttpExpectation = 'refused' | 'served' | 'echoed' | 'closed' | 'bodiless' | 'either';

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

/** Longer than any line of a head may be. */
const LONG = 'x'.repeat(100_000);

/** Cases of our own for what the public collection makes while it runs. */
const OWN_MADE_CASES: readonly HttpCase[] = [
  own('nothing', ''),
  own('blanks only', '   \r\n\r\n'),
  own('binary garbage', '\x16\x03\x01\x02\x00\x01\x00\xfc\xff\x00\x80\r\n\r\n'),
  own('HTTP/0.9', 'GET /\r\n'),
  own('HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  own('CONNECT', 'CONNECT <HOST> HTTP/1.1\r\nHost: <HOST>\r\n\r\n'),
  own('a long method', `${LONG} / HTTP/1.1\r\nHost: <HOST>\r\n\r\n`),
  own('a long target', `GET /${LONG} HTTP/1.1\r\nHost: <HOST>\r\n\r\n`),
  own('a long header name', `GET / HTTP/1.1\r\nHost: <HOST>\r\n${LONG}: a\r\n\r\n`),
  own('a long header value', `GET / HTTP/1.1\r\nHost: <HOST>\r\nX: ${LONG}\r\n\r\n`),
  own('many headers', `GET / HTTP/1.1\r\nHost: <HOST>\r\n${'X: a\r\n'.repeat(10_000)}\r\n`),
  own('a control character in a value', 'GET / HTTP/1.1\r\nHost: <HOST>\r\nX: a\x01b\r\n\r\n'),
  own('a zero byte in a value', 'GET / HTTP/1.1\r\nHost: <HOST>\r\nX: a\0b\r\n\r\n'),
  own('bytes beyond ASCII in a name', 'GET / HTTP/1.1\r\nHost: <HOST>\r\nX\xc3\xab: a\r\n\r\n'),
  own('a slash that UTF-8 does not allow', 'GET /\xc0\xaf HTTP/1.1\r\nHost: <HOST>\r\n\r\n'),
];

/** Cases of our own that are served. */
const OWN_SERVED_CASES: readonly HttpCase[] = [
  own('a plain request', 'GET / HTTP/1.1\r\nHost: <HOST>\r\n\r\n', 'served'),
  own('a body of a length', 'POST / HTTP/1.1\r\nHost: <HOST>\r\nContent-Length: 5\r\n\r\nhello', 'echoed'),
  own(
    'a body in chunks',
    'POST / HTTP/1.1\r\nHost: <HOST>\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n',
    'echoed',
  ),
  own('the last request', 'GET / HTTP/1.1\r\nHost: <HOST>\r\nConnection: close\r\n\r\n', 'closed'),
  own('a blank line before', '\r\nGET / HTTP/1.1\r\nHost: <HOST>\r\n\r\n', 'either'),
];

/** Returns the cases that are refused: ours, and those of the public collection where it is present. */
export function strictHttpCases(): HttpCase[] {
  return [
    ...OWN_CASES,
    ...OWN_MADE_CASES,
    ...testbedCases().filter(({ expected }) => expected === 'refused'),
  ];
}

/** Returns the cases that may be served, or must be. */
export function servedHttpCases(): HttpCase[] {
  return [...OWN_SERVED_CASES, ...testbedCases().filter(({ expected }) => expected !== 'refused')];
}

function own(id: string, payload: string, expected: HttpExpectation = 'refused'): HttpCase {
  return { id, payload: withDigits(payload), expected };
}

/** Bodies of digits are JSON too. */
function withDigits(payload: string): string {
  return payload.replaceAll(/hello|world/g, '11111').replaceAll(/ 11111(?=\r\n|$)/g, '111111');
}

interface TestbedCase {
  id: string;
  scored: boolean;
  payload: string | null;
  expect: unknown;
  expected_desc: string | null;
}

/** Http11Probe's cases that have bytes; the collection's README says what it holds. */
export function testbedCases(): HttpCase[] {
  const folder =
    processEnvironment()['INTERLOCK_TESTBEDS'] ?? resolve(import.meta.dirname, '../../../../shared/testbeds');
  const file = join(folder, 'http11probe.json');
  if (!existsSync(file)) return [];
  const cases: TestbedCase[] = JSON.parse(readFileSync(file, 'utf8'));
  return cases.flatMap((one) => {
    const { id, payload } = one;
    return payload === null ? [] : [{ id, payload: withDigits(payload), expected: expectationOf(one) }];
  });
}

function expectationOf({ id, scored, expect, expected_desc: described }: TestbedCase): HttpExpectation {
  const text = described ?? '';
  if (/^COMP-(HEAD|OPTIONS|NO-CL-IN-204)/.test(id)) return 'bodiless';
  if (!scored) return 'either';
  const [kind, what] = Array.isArray(expect) ? expect.map(String) : [];
  if (kind === 'Exact' || text.startsWith('400 or close (pass)')) return 'refused';
  if (kind === 'Range2xx') return what === '' ? 'echoed' : 'served';
  if (text !== '' && !/[12]xx|[12]0[0-9]/.test(text)) return 'refused';
  if (/echo|Range ignored/.test(text)) return 'echoed';
  if (/^2xx with/.test(text)) return 'served';
  return text === '2xx + close' ? 'closed' : 'either';
}

const DATE = /^date: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT\r$/im;

/** Returns what is wrong with an answer to a case, or undefined. */
export function misfitOf({ expected, payload }: HttpCase, { status, text }: HttpReply): string | undefined {
  const isServed = status >= 200 && status < 300;
  const isRefused = status === 0 || (status >= 400 && status < 500);
  const whole = isServed && DATE.test(text) && /^content-type: /im.test(text);
  const body = [...payload.matchAll(/1{5,}/g)].join('');
  const fits: Readonly<Record<HttpExpectation, boolean>> = {
    refused: isRefused,
    served: whole,
    // Digits may come back as a number or as a text.
    echoed: whole && /:"?(1*)"?\}$/.exec(text)?.[1] === body,
    closed: whole,
    bodiless: isRefused || (isServed && text.endsWith('\r\n\r\n')),
    either: isServed || isRefused,
  };
  return fits[expected] ? undefined : `not ${expected}: ${text === '' ? 'closed' : text}`;
}

/**
 * Sends a case as an accepted sender to an accepted route, then ends its side, unless the server is expected to do so;
 * resolves when the server closed too.
 */
export async function sendHttpCase({ payload, expected }: HttpCase, sender: HttpSender): Promise<HttpReply> {
  const { hostname, port, host } = new URL(sender.url);
  const text = payload
    .replaceAll('<HOST>', host)
    .replace(
      /^((?:\r\n)*(?:GET|POST|DELETE|HEAD|OPTIONS))( +)\/(?:echo)?(?=[ #\\?])/,
      (_, method: string, blank: string) =>
        `${method}${blank}${method.endsWith('POST') ? sender.routes.POST : sender.routes.GET}`,
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
    if (expected === 'closed') socket.write(text, 'latin1');
    else socket.end(text, 'latin1');
  });
}
