import { selfSigned } from '@interlock/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { createEgress } from './request.ts';
import { get, loopbackPolicy, startUpstream } from './upstream.fixture.ts';

const certificate = selfSigned('tool.example');
const atHome = async () => ['127.0.0.1'];
const untrusted = {
  code: 'egress_unreachable',
  sent: 'no',
  detail: 'The TLS certificate of the destination could not be verified.',
};

describe('a TLS connection', () => {
  const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  afterEach(() => {
    if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
  });

  test('[P-egress-tls-redirects-caps] is refused for a certificate without a trusted issuer, whatever the environment sets', async () => {
    await using upstream = await startUpstream((_request, response) => response.end('hello'), certificate);
    await using egress = createEgress({ resolve: atHome });
    const host = `tool.example:${upstream.port}`;
    const send = () => egress.request(get(`https://${host}/`, loopbackPolicy([host])));
    await expect(send()).rejects.toMatchObject(untrusted);
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    await expect(send()).rejects.toMatchObject(untrusted);
    expect(upstream.seen).toEqual([]);
  });

  test('is refused for a certificate of another name', async () => {
    await using upstream = await startUpstream((_request, response) => response.end('hello'), certificate);
    await using egress = createEgress({ resolve: atHome, ca: [certificate.cert] });
    for (const host of [`other.example:${upstream.port}`, `127.0.0.1:${upstream.port}`]) {
      await expect(egress.request(get(`https://${host}/`, loopbackPolicy([host])))).rejects.toMatchObject(
        untrusted,
      );
    }
    expect(upstream.seen).toEqual([]);
  });

  test('goes to the checked address under the name of the URL', async () => {
    await using upstream = await startUpstream((_request, response) => response.end('hello'), certificate);
    await using egress = createEgress({ resolve: atHome, ca: [certificate.cert] });
    const host = `tool.example:${upstream.port}`;
    const answer = await egress.request(get(`https://${host}/a`, loopbackPolicy([host])));
    expect(answer.status).toBe(200);
    expect(upstream.seen).toMatchObject([{ path: '/a', headers: { host } }]);
  });
});
