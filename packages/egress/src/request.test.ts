import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { EgressFault } from './fault.ts';
import { createEgress, type Egress, type EgressRequest } from './request.ts';
import { get, listen, loopbackPolicy, startUpstream } from './upstream.fixture.ts';

const sayHello: RequestListener = (_request, response) => response.end('hello');
const atHome = async () => ['127.0.0.1'];

describe('an outbound request', () => {
  test('[P-claim-monotonic] sends nothing when the claim ran out while the connection was made', async () => {
    await using upstream = await startUpstream(sayHello);
    const order: string[] = [];
    await using egress = createEgress({
      resolve: async () => {
        order.push('looked up');
        return ['127.0.0.1'];
      },
    });
    const url = `http://tool.example:${upstream.port}`;
    const mayStart = () => {
      order.push('asked');
      return false;
    };
    const fault = await faultOf(egress, get(url, loopbackPolicy([url]), { mayStart }));
    expect(fault).toMatchObject({ code: 'egress_expired', sent: 'no' });
    expect(order).toEqual(['looked up', 'asked']);
    expect(upstream.seen).toEqual([]);
  });

  test('reads an answer no further than it is wanted, also one that never ends', async () => {
    await using upstream = await startUpstream((request, response) => {
      response.writeHead(request.url === '/fails' ? 500 : 200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
      setImmediate(() => (request.url === '/fails' ? response.end('end') : response.write('data: 2\n\n')));
    });
    await using egress = createEgress();
    const url = `http://127.0.0.1:${upstream.port}`;
    const isEnough = (chunk: Uint8Array) => Buffer.from(chunk).includes('2');
    const ask = (path: string) =>
      egress.request({
        ...get(`${url}${path}`, loopbackPolicy([url])),
        isEnough: path === '/' ? isEnough : () => true,
      });
    expect(Buffer.from((await ask('/')).body).toString()).toBe('data: 1\n\ndata: 2\n\n');
    expect(Buffer.from((await ask('/fails')).body).toString()).toBe('data: 1\n\nend');
    expect(Buffer.from((await ask('/')).body).toString()).toContain('2');
  });

  test('[P-egress-checked-address] refuses a name of which one address is not allowed', async () => {
    await using upstream = await startUpstream(sayHello);
    await using egress = createEgress({ resolve: async () => ['127.0.0.1', '10.0.0.1'] });
    const url = `http://tool.example:${upstream.port}`;
    const fault = await faultOf(egress, get(url, loopbackPolicy([url])));
    expect(fault).toMatchObject({ code: 'egress_address_refused', sent: 'no', retryable: false });
    expect(fault.detail).not.toContain('10.0.0.1');
    expect(upstream.connections()).toBe(0);
  });

  test('[P-egress-checked-address] looks a name up once per connection and uses the checked address', async () => {
    await using upstream = await startUpstream(sayHello);
    const answers = [['127.0.0.1'], ['169.254.169.254']];
    let asked = 0;
    const limits = { maxConnectionsPerPool: 1 };
    await using egress = createEgress({ resolve: async () => answers[asked++] ?? [], limits });
    const url = `http://tool.example:${upstream.port}`;
    const policy = loopbackPolicy([url]);
    await egress.request(get(url, policy));
    await egress.request(get(url, policy));
    expect(asked).toBe(1);
    expect(upstream.connections()).toBe(1);
    expect(upstream.seen.map(({ headers }) => headers.host)).toEqual(
      Array(2).fill(`tool.example:${upstream.port}`),
    );
  });

  test('never uses a connection that another policy opened', async () => {
    await using upstream = await startUpstream(sayHello);
    await using egress = createEgress();
    const url = `http://127.0.0.1:${upstream.port}`;
    expect((await egress.request(get(url, loopbackPolicy([url])))).status).toBe(200);
    const stricter = loopbackPolicy([url], { allowPrivate: [] });
    expect(await faultOf(egress, get(url, stricter))).toMatchObject({ code: 'egress_address_refused' });
    expect(upstream.seen.length).toBe(1);
  });

  test.each([
    { host: 'other.example' },
    { 'content-length': '5' },
    { 'Transfer-Encoding': 'chunked' },
    { connection: 'upgrade' },
    { 'bad name': 'x' },
    { 'X-A': 'a\r\nX-B: b' },
    { 'X-A': 'a\u0000' },
    { 'X-A': 'λ' },
    { 'X-A': '1', 'x-a': '2' },
  ])('refuses a header that could change the request: %j', async (headers) => {
    await using upstream = await startUpstream(sayHello);
    await using egress = createEgress();
    const url = `http://127.0.0.1:${upstream.port}`;
    const fault = await faultOf(egress, get(url, loopbackPolicy([url]), { headers }));
    expect(fault.code).toMatch(/^(configuration_invalid|header_argument_refused)$/);
    expect(fault.pointer).toMatch(/^\/headers/);
    expect(upstream.seen).toEqual([]);
  });

  test('refuses methods that open tunnels or echo credentials', async () => {
    await using egress = createEgress();
    for (const method of ['CONNECT', 'TRACE', 'get', 'GET /x']) {
      const fault = await faultOf(
        egress,
        get('https://h.example/', loopbackPolicy(['h.example']), { method }),
      );
      expect(fault).toMatchObject({ pointer: '/method', sent: 'no' });
    }
  });

  test('reports that nothing was sent when no connection can be made', async () => {
    const server = createServer();
    const port = await listen(server);
    server.close();
    await once(server, 'close');
    await using egress = createEgress();
    const url = `http://127.0.0.1:${port}`;
    const fault = await faultOf(egress, get(url, loopbackPolicy([url])));
    expect(fault).toMatchObject({ code: 'egress_unreachable', sent: 'no', retryable: true });
  });

  test('reports that nothing was sent when a name is unknown or its look-up hangs', async () => {
    const policy = loopbackPolicy(['tool.example'], { timeoutMs: 50 });
    await using unknown = createEgress({ resolve: async () => [] });
    expect(await faultOf(unknown, get('https://tool.example/', policy))).toMatchObject({
      code: 'egress_unreachable',
      sent: 'no',
    });
    const hanging = createEgress({ resolve: () => new Promise(() => {}) });
    expect(await faultOf(hanging, get('https://tool.example/', policy))).toMatchObject({
      code: 'egress_timeout',
      sent: 'no',
    });
  });

  test('reports that it may have been sent, and sends nothing again, when the connection breaks', async () => {
    let received = 0;
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.once('data', () => {
        received += 1;
        socket.destroy();
      });
    });
    const url = `http://127.0.0.1:${await listen(server)}`;
    await using egress = createEgress();
    for (const method of ['GET', 'POST']) {
      const fault = await faultOf(egress, get(url, loopbackPolicy([url]), { method }));
      expect(fault).toMatchObject({ code: 'egress_broken', sent: 'maybe', retryable: false });
    }
    expect(received).toBe(2);
    expect(sockets.size).toBe(2);
    server.close();
  });

  test('[P-egress-tls-redirects-caps] ends at its deadline and when it is cancelled, and reports that it may have been sent', async () => {
    const asked = Promise.withResolvers<void>();
    await using upstream = await startUpstream(() => asked.resolve());
    await using egress = createEgress();
    const url = `http://127.0.0.1:${upstream.port}`;
    const late = await faultOf(egress, get(url, loopbackPolicy([url], { timeoutMs: 1_000 })));
    expect(late).toMatchObject({ code: 'egress_timeout', sent: 'maybe', retryable: false });
    const cancel = new AbortController();
    const pending = faultOf(egress, get(url, loopbackPolicy([url]), { signal: cancel.signal }));
    await asked.promise;
    await expect.poll(() => upstream.seen.length, { timeout: 5_000 }).toBe(2);
    cancel.abort();
    expect(await pending).toMatchObject({ code: 'egress_broken', sent: 'maybe' });
    const before = await faultOf(egress, get(url, loopbackPolicy([url]), { signal: AbortSignal.abort() }));
    expect(before).toMatchObject({ code: 'egress_expired', sent: 'no' });
    expect(upstream.seen.length).toBe(2);
  });

  test('is refused above the limits of requests and destinations, and after egress was closed', async () => {
    const first = Promise.withResolvers<() => void>();
    await using upstream = await startUpstream((_request, response) =>
      first.resolve(() => response.end('done')),
    );
    const egress = createEgress({ resolve: atHome, limits: { maxInFlight: 1, maxPools: 1 } });
    const url = `http://127.0.0.1:${upstream.port}`;
    const pending = egress.request(get(url, loopbackPolicy([url])));
    const release = await first.promise;
    const busy = { code: 'dependency_unavailable', sent: 'no' };
    expect(await faultOf(egress, get(url, loopbackPolicy([url])))).toMatchObject(busy);
    const closed = egress[Symbol.asyncDispose]();
    expect(await faultOf(egress, get(url, loopbackPolicy([url])))).toMatchObject(busy);
    release();
    expect(text((await pending).body)).toBe('done');
    await closed;
  });

  test('closes the destination unused for longest to open a new one', async () => {
    await using upstream = await startUpstream(sayHello);
    await using egress = createEgress({ resolve: atHome, limits: { maxPools: 2 } });
    const policy = loopbackPolicy([`http://*.tool.example:${upstream.port}`]);
    for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) {
      await egress.request(get(`http://${name}.tool.example:${upstream.port}/`, policy));
    }
    expect(upstream.connections()).toBe(4);
  });

  test('sends method, path, headers and body as given and requests no encoding', async () => {
    await using upstream = await startUpstream((_request, response) => {
      response.writeHead(201, { 'X-Made': 'yes', 'Set-Cookie': ['a=1', 'b=2'] });
      response.end('made');
    });
    await using egress = createEgress();
    const url = `http://127.0.0.1:${upstream.port}/a%2Fb?c=%20d`;
    const policy = loopbackPolicy([`http://127.0.0.1:${upstream.port}`]);
    const headers = { Authorization: 'Bearer t', 'X-Latin': 'é' };
    const answer = await egress.request(
      get(url, policy, { method: 'POST', headers, body: Buffer.from('{}') }),
    );
    expect(upstream.seen).toMatchObject([
      {
        method: 'POST',
        path: '/a%2Fb?c=%20d',
        body: '{}',
        headers: {
          authorization: 'Bearer t',
          'x-latin': 'é',
          'accept-encoding': 'identity',
          'content-length': '2',
        },
      },
    ]);
    expect(answer).toMatchObject({ status: 201, url, redirects: 0 });
    expect(answer.headers.filter(([name]) => name === 'set-cookie' || name === 'x-made')).toEqual([
      ['x-made', 'yes'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ]);
  });
});

describe('an answer', () => {
  test('that announces more than the limit is not read', async () => {
    await using upstream = await startUpstream((_request, response) => response.end('x'.repeat(1001)));
    expect(await faultAt(upstream.port, { maxResponseBytes: 1000 })).toMatchObject({
      code: 'egress_too_large',
      sent: 'maybe',
    });
  });

  test('[P-egress-tls-redirects-caps] that never ends is stopped at the limit', async () => {
    const stopped = Promise.withResolvers<void>();
    await using upstream = await startUpstream((_request, response) => {
      const pour = () => {
        while (!response.destroyed && response.write('x'.repeat(10_000))) {}
      };
      response.on('drain', pour).on('close', () => stopped.resolve());
      pour();
    });
    expect((await faultAt(upstream.port, { maxResponseBytes: 50_000 })).code).toBe('egress_too_large');
    await stopped.promise;
  });

  test.each([
    ['gzip', gzipSync('x'.repeat(5_000_000))],
    ['br', brotliCompressSync('x'.repeat(5_000_000))],
    ['deflate', deflateSync('x'.repeat(5_000_000))],
  ])('that is larger than the limit when decoded is refused: %s', async (encoding, body) => {
    await using upstream = await startUpstream((_request, response) => {
      response.writeHead(200, { 'Content-Encoding': encoding }).end(body);
    });
    expect(body.length).toBeLessThan(50_000);
    expect((await faultAt(upstream.port, { maxResponseBytes: 50_000 })).code).toBe('egress_too_large');
  });

  test.each([
    ['gzip', Buffer.from('not gzip')],
    ['gzip', gzipSync('hello').subarray(0, 12)],
    ['gzip, br', gzipSync('hello')],
    ['compress', Buffer.from('x')],
  ])('with an encoding that is wrong or unknown is refused: %s', async (encoding, body) => {
    await using upstream = await startUpstream((_request, response) => {
      response.writeHead(200, { 'Content-Encoding': encoding }).end(body);
    });
    expect(await faultAt(upstream.port, {})).toMatchObject({ code: 'egress_broken', sent: 'maybe' });
  });

  test('that is not HTTP is refused, and no byte of it is in the fault', async () => {
    const server = createServer((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nA echoed-credential\r\n\r\n')),
    );
    const port = await listen(server);
    const fault = await faultAt(port, {});
    expect(fault).toMatchObject({ code: 'egress_broken', sent: 'maybe' });
    expect(fault.detail).toMatch(/well-formed/);
    expect(inspect(fault, { depth: 5 })).not.toContain('echoed-credential');
    server.close();
  });

  test.each([
    ['gzip', gzipSync('hello')],
    ['br', brotliCompressSync('hello')],
    ['deflate', deflateSync('hello')],
    ['deflate', deflateRawSync('hello')],
    ['identity', Buffer.from('hello')],
  ])('that is encoded although this was not requested is decoded: %s', async (encoding, body) => {
    await using upstream = await startUpstream((_request, response) => {
      response.writeHead(200, { 'Content-Encoding': encoding }).end(body);
    });
    await using egress = createEgress();
    const url = `http://127.0.0.1:${upstream.port}`;
    const answer = await egress.request(get(url, loopbackPolicy([url], { maxResponseBytes: 100 })));
    expect(text(answer.body)).toBe('hello');
    expect(answer.headers.some(([name]) => name === 'content-encoding')).toBe(false);
  });

  test.each([
    ['in one line', 'gzip, gzip'],
    ['in two lines', ['identity', 'gzip', 'gzip']],
    ['after one that changes nothing', ['identity', 'aes128gcm']],
  ])('that is encoded more than once, or unreadably, is refused: %s', async (_how, encoding) => {
    await using upstream = await startUpstream((_request, response) => {
      response.writeHead(200, { 'Content-Encoding': encoding }).end(gzipSync(gzipSync('hello')));
    });
    expect(await faultAt(upstream.port, { maxResponseBytes: 100 })).toMatchObject({ code: 'egress_broken' });
  });
});

async function faultAt(port: number, change: Parameters<typeof loopbackPolicy>[1]): Promise<EgressFault> {
  await using egress = createEgress();
  const url = `http://127.0.0.1:${port}`;
  return await faultOf(egress, get(url, loopbackPolicy([url], change)));
}

async function faultOf(egress: Egress, request: EgressRequest): Promise<EgressFault> {
  try {
    await egress.request(request);
  } catch (cause) {
    if (cause instanceof EgressFault) return cause;
    throw cause;
  }
  throw new Error('Nothing was refused.');
}

function text(body: Uint8Array): string {
  return Buffer.from(body).toString();
}
