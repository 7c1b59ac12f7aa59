import { caller } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  admit as admitOn,
  CREDENTIAL,
  type Setting,
  settled as settledOn,
  startLine,
  storedTool as storedOn,
} from './line.fixture.ts';

let setting: Setting;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  setting = await startLine(stack);
});

afterAll(async () => {
  await stack.disposeAsync();
});

const storedTool = (more: Parameters<typeof storedOn>[0]) => storedOn(more, setting);
const admit = (tool: Parameters<typeof admitOn>[0], parts: Parameters<typeof admitOn>[1] = {}) =>
  admitOn(tool, parts, setting);
const settled = (call: string) => settledOn(call, setting);

describe('a request of an HTTP tool', () => {
  test('[P-result-headers] shows the headers that its tool lists, when to repeat and where a redirect leads, without credentials', async () => {
    const { upstream } = setting;
    const target = {
      url: `${upstream.url}/headers/{blog}`,
      responseHeaders: ['Link', 'ETag', 'X-Echo', 'X-Absent'],
    };
    const tool = await storedTool({ target });
    const headers = {
      link: '</a?page=2>; rel="next"',
      etag: '"v1"',
      'x-echo': `key=${CREDENTIAL}`,
      'x-more': 'no',
    };
    upstream.behave({ kind: 'answer', headers }, '/headers');
    expect((await settled(await admit(tool))).upstreamHeaders).toEqual({
      link: '</a?page=2>; rel="next"',
      etag: '"v1"',
      'x-echo': 'key=[secret]',
    });
    upstream.behave({ kind: 'fail', status: 429, headers: { 'retry-after': '30' } }, '/headers');
    expect(await settled(await admit(tool))).toMatchObject({
      outcome: 'failed',
      upstreamHeaders: { 'retry-after': '30' },
    });
    upstream.behave({ kind: 'fail', status: 302, headers: { location: '/elsewhere' } }, '/headers');
    expect(await settled(await admit(tool))).toMatchObject({
      outcome: 'failed',
      upstreamHeaders: { location: '/elsewhere' },
    });
    upstream.behave({ kind: 'fail', status: 304 }, '/headers');
    expect(await settled(await admit(tool))).toMatchObject({ outcome: 'succeeded', upstreamStatus: 304 });
  });

  test('says who it is by a user agent, and for whom unless its tool says not to', async () => {
    const { upstream } = setting;
    const anonymous = {
      url: `${upstream.url}/plain/{blog}`,
      identity: false,
      headers: { 'User-Agent': 'mine' },
    };
    const signedTarget = { url: `${upstream.url}/signed/{blog}` };
    await settled(await admit(await storedTool({ target: anonymous })));
    await settled(await admit(await storedTool({ target: signedTarget })));
    const sentTo = (prefix: string) =>
      upstream.requests.find(({ url }) => url.startsWith(prefix))?.headers ?? {};
    expect(sentTo('/plain')['user-agent']).toBe('mine');
    expect(Object.keys(sentTo('/plain')).filter((name) => /^interlock-|^signature/.test(name))).toEqual([]);
    expect(sentTo('/signed')).toMatchObject({ 'user-agent': 'interlock', 'interlock-user': caller.user });
  });

  test('carries several credentials, one of them in its path, and a form', async () => {
    const credential = [
      { name: 'blog', inject: { as: 'bearer' as const } },
      { name: 'blog', inject: { as: 'placeholder' as const, placeholder: 'key' } },
      { name: 'blog', inject: { as: 'header' as const, header: 'X-App_Key' } },
    ];
    const target = { url: `${setting.upstream.url}/bot{key}/{blog}`, body: { form: 'all' } };
    const call = await admit(await storedTool({ credential, target }), { args: { blog: 'b1', to: '+43 1' } });
    expect(await settled(call)).toMatchObject({ outcome: 'succeeded' });
    const sent = setting.upstream.requests.find(({ headers }) => headers['interlock-call'] === call);
    expect(sent).toMatchObject({
      url: `/bot${CREDENTIAL}/b1`,
      headers: { 'x-app_key': CREDENTIAL, 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(sent?.body).toBe('to=%2B43+1');
  });
});
