import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const BODY_MAX_BYTES = 4 * 1024 * 1024;
const CHUNK = Buffer.alloc(64 * 1024, 'x');

/** A request as it arrived. */
export interface UpstreamRequest {
  method: string;
  /** Path and query. */
  url: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
  /** The Interlock-Call header. */
  call: string | undefined;
  /** False when the credential was missing or wrong. */
  authorized: boolean;
  /** When it had arrived whole, on the monotonic clock. */
  atMs: number;
}

/**
 * What the upstream does with an authorized request. All but `fail` have an effect first: `drop` closes the
 * connection after it, `wait` answers once its promise resolved, `hang` never answers, `echo` answers the credential back, `huge` answers many bytes.
 */
export type UpstreamBehaviour =
  | { kind: 'answer'; body?: unknown; headers?: Readonly<Record<string, string>> }
  | { kind: 'delay'; delayMs: number }
  | { kind: 'wait'; until: Promise<unknown> }
  | { kind: 'hang' }
  | { kind: 'drop' }
  | { kind: 'fail'; status: number; headers?: Readonly<Record<string, string>> }
  | { kind: 'echo' }
  | { kind: 'huge'; bytes: number };

/** An HTTP server that counts what it did. */
export interface Upstream extends AsyncDisposable {
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  readonly requests: readonly UpstreamRequest[];
  /** Effects per Interlock-Call; requests without the header count under the empty text. */
  readonly effects: ReadonlyMap<string, number>;
  /** Says how it treats requests from now on: all of them, or those whose path begins with `prefix`. */
  behave(behaviour: UpstreamBehaviour, prefix?: string): void;
}

/** Starts an upstream. With a credential it answers 401 to a request without it as a bearer token. */
export async function startUpstream({ credential }: { credential?: string } = {}): Promise<Upstream> {
  const requests: UpstreamRequest[] = [];
  const effects = new Map<string, number>();
  const closing = new AbortController();
  const behaviours = new Map<string, UpstreamBehaviour>([['', { kind: 'answer' }]]);

  const take = async (incoming: IncomingMessage, response: ServerResponse) => {
    const request = await read(incoming, credential);
    requests.push(request);
    if (!request.authorized) return send(response, 401, { error: 'credential required' });
    const current = behaviourFor(request.url, behaviours);
    if (current.kind !== 'fail') {
      const call = request.call ?? '';
      effects.set(call, (effects.get(call) ?? 0) + 1);
    }
    await treat(current, request, response, closing.signal);
  };

  const server = createServer((incoming, response) => {
    take(incoming, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('A TCP server has a port.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    effects,
    behave: (behaviour, prefix = '') => void behaviours.set(prefix, behaviour),
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The longest prefix that fits wins. */
function behaviourFor(url: string, behaviours: ReadonlyMap<string, UpstreamBehaviour>): UpstreamBehaviour {
  const [fitting] = [...behaviours]
    .filter(([prefix]) => url.startsWith(prefix))
    .sort(([left], [right]) => right.length - left.length);
  return fitting?.[1] ?? { kind: 'answer' };
}

async function read(incoming: IncomingMessage, credential: string | undefined): Promise<UpstreamRequest> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > BODY_MAX_BYTES) throw new RangeError('A request is larger than an upstream of a test takes.');
    chunks.push(bytes);
  }
  const { method = '', url = '', headers } = incoming;
  const call = headers['interlock-call'];
  return {
    method,
    url,
    headers,
    body: Buffer.concat(chunks).toString('utf8'),
    call: typeof call === 'string' ? call : undefined,
    authorized: credential === undefined || headers.authorization === `Bearer ${credential}`,
    atMs: performance.now(),
  };
}

async function treat(
  behaviour: UpstreamBehaviour,
  request: UpstreamRequest,
  response: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  switch (behaviour.kind) {
    case 'answer':
      return send(response, 200, behaviour.body ?? { ok: true }, behaviour.headers);
    case 'delay':
      await delay(behaviour.delayMs, undefined, { signal: closing });
      return send(response, 200, { ok: true });
    case 'wait':
      await behaviour.until;
      return send(response, 200, { ok: true });
    case 'hang':
      return;
    case 'drop':
      response.destroy();
      return;
    case 'fail':
      return send(response, behaviour.status, { error: 'set to fail' }, behaviour.headers);
    case 'echo':
      return send(response, 200, { credential: credentialOf(request) });
    case 'huge':
      return await sendHuge(response, behaviour.bytes, closing);
    default:
      return behaviour satisfies never;
  }
}

function credentialOf({ headers: { authorization = '' } }: UpstreamRequest): string {
  return typeof authorization === 'string' ? authorization.replace(/^Bearer /, '') : '';
}

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

/** Sends a JSON text of that many bytes without holding it in memory. */
async function sendHuge(response: ServerResponse, bytes: number, signal: AbortSignal): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': bytes });
  response.write('"');
  for (let left = bytes - 2; left > 0; left -= CHUNK.length) {
    if (response.destroyed) return;
    if (!response.write(CHUNK.subarray(0, left))) await once(response, 'drain', { signal });
  }
  response.end('"');
}
