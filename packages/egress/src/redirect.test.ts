import type { RequestListener } from 'node:http';
import { Secret } from '@interlock/keys';
import { describe, expect, test } from 'vitest';
import { createEgress } from './request.ts';
import { get, loopbackPolicy, startUpstream } from './upstream.fixture.ts';

const CREDENTIALS = {
  Authorization: 'Bearer t',
  Cookie: 'a=b',
  'X-Api-Key': 'k',
  'Interlock-User': 'ada',
  Signature: 'interlock=:AAAA:',
  'X-Other': 'stays',
};

describe('a redirect', () => {
  test('[P-egress-tls-redirects-caps] is the answer itself unless the tool follows redirects', async () => {
    await using upstream = await startUpstream(redirectTo(302, '/elsewhere'));
    await using egress = createEgress();
    const url = `http://127.0.0.1:${upstream.port}`;
    const answer = await egress.request(get(url, loopbackPolicy([url])));
    expect(answer.status).toBe(302);
    expect(upstream.seen.length).toBe(1);
  });

  test('is refused where the new URL is not allowed, with a fault that something may have been sent', async () => {
    await using target = await startUpstream((_request, response) => response.end('secret'));
    await using upstream = await startUpstream(redirectTo(302, `http://localhost:${target.port}/`));
    await using egress = createEgress({ resolve: async () => ['127.0.0.2'] });
    const url = `http://127.0.0.1:${upstream.port}`;
    const send = (allow: string[]) => egress.request(get(url, loopbackPolicy(allow, { redirects: 3 })));
    await expect(send([url])).rejects.toMatchObject({ code: 'egress_destination_refused', sent: 'maybe' });
    const both = [url, `http://localhost:${target.port}`];
    await expect(send(both)).rejects.toMatchObject({ code: 'egress_address_refused', sent: 'maybe' });
    expect(target.seen).toEqual([]);
  });

  test.each([
    ['as it is', 'sk-live-0c41d9e2.evil.example'],
    ['in other letters', 'SK-Live-0C41D9E2.evil.example'],
    ['cut into labels', 'sk.live.0c41.d9e2.evil.example'],
    ['cut off', 'sk-live-0c.evil.example'],
  ])('[P-secret-nowhere] to a name that holds a secret %s is not looked up', async (_how, host) => {
    const looked: string[] = [];
    await using upstream = await startUpstream(redirectTo(302, `http://${host}:81/`));
    await using egress = createEgress({
      resolve: async (name) => {
        looked.push(name);
        return ['127.0.0.2'];
      },
    });
    const url = `http://127.0.0.1:${upstream.port}`;
    const request = get(url, loopbackPolicy([url, 'http://*.evil.example:81'], { redirects: 3 }));
    const refused = egress.request({ ...request, secrets: [new Secret('sk-Live-0c41D9e2')] });
    await expect(refused).rejects.toMatchObject({ code: 'egress_destination_refused', sent: 'maybe' });
    await expect(refused).rejects.not.toMatchObject({ detail: expect.stringContaining('evil') });
    expect(looked).toEqual([]);
  });

  test('calls mayStart again', async () => {
    await using upstream = await startUpstream(redirectTo(302, '/again'));
    await using egress = createEgress();
    const url = `http://127.0.0.1:${upstream.port}`;
    const answers = [true, false];
    const mayStart = () => answers.shift() ?? false;
    const request = get(url, loopbackPolicy([url], { redirects: 5 }), { mayStart });
    await expect(egress.request(request)).rejects.toMatchObject({ code: 'egress_broken', sent: 'maybe' });
    expect(upstream.seen.length).toBe(1);
  });

  test('ends at the number of redirects the tool allows', async () => {
    await using upstream = await startUpstream(redirectTo(302, '/again'));
    await using egress = createEgress();
    const url = `http://127.0.0.1:${upstream.port}`;
    const answer = await egress.request(get(url, loopbackPolicy([url], { redirects: 2 })));
    expect(answer).toMatchObject({ status: 302, redirects: 2, url: `${url}/again` });
    expect(upstream.seen.length).toBe(3);
  });

  test('is followed within the origin, method and body kept, where a request stays there', async () => {
    await using other = await startUpstream((_request, response) => response.end());
    await using upstream = await startUpstream((request, response) => {
      const location = request.url === '/mcp' ? '/mcp/' : `http://127.0.0.1:${other.port}/`;
      response.writeHead(307, { location });
      response.end();
    });
    await using egress = createEgress();
    const url = `http://127.0.0.1:${upstream.port}`;
    const policy = loopbackPolicy([url, `http://127.0.0.1:${other.port}`], { redirects: 3 });
    const request = {
      ...get(`${url}/mcp`, policy),
      method: 'POST',
      body: Buffer.from('x'),
      withinOrigin: true,
    };
    expect(await egress.request(request)).toMatchObject({ status: 307, redirects: 1, url: `${url}/mcp/` });
    expect(upstream.seen.map((one) => `${one.method} ${one.path}`)).toEqual(['POST /mcp', 'POST /mcp/']);
    expect(other.seen).toEqual([]);
  });

  test('sends no credential and no identity to another origin', async () => {
    await using target = await startUpstream((_request, response) => response.end('there'));
    await using upstream = await startUpstream(redirectTo(307, `http://127.0.0.1:${target.port}/x`));
    await using egress = createEgress();
    const url = `http://127.0.0.1:${upstream.port}`;
    const policy = loopbackPolicy([url, `http://127.0.0.1:${target.port}`], { redirects: 1 });
    const change = {
      method: 'POST',
      headers: CREDENTIALS,
      body: Buffer.from('b'),
      sensitiveHeaders: ['X-API-Key'],
    };
    const answer = await egress.request(get(url, policy, change));
    expect(answer).toMatchObject({ status: 200, redirects: 1, url: `http://127.0.0.1:${target.port}/x` });
    expect(target.seen).toMatchObject([{ method: 'POST', body: 'b', headers: { 'x-other': 'stays' } }]);
    const names = Object.keys(target.seen[0]?.headers ?? {});
    expect(
      names.filter((name) => /^(authorization|cookie|x-api-key|interlock-|signature)/.test(name)),
    ).toEqual([]);
  });

  test('keeps credentials on its own origin and turns into a GET where the standard says so', async () => {
    await using upstream = await startUpstream((request, response) =>
      request.url === '/' ? redirectTo(303, '/x')(request, response) : response.end('there'),
    );
    await using egress = createEgress();
    const url = `http://127.0.0.1:${upstream.port}`;
    const headers = { ...CREDENTIALS, 'Content-Type': 'application/json' };
    const change = { method: 'PUT', headers, body: Buffer.from('{}') };
    await egress.request(get(url, loopbackPolicy([url], { redirects: 1 }), change));
    expect(upstream.seen[1]).toMatchObject({
      method: 'GET',
      body: '',
      headers: { authorization: 'Bearer t' },
    });
    expect(upstream.seen[1]?.headers['content-type']).toBeUndefined();
    expect(upstream.seen[1]?.headers['signature']).toBeUndefined();
  });
});

function redirectTo(status: number, location: string): RequestListener {
  return (_request, response) => response.writeHead(status, { Location: location }).end();
}
