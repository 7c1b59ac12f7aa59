import { brokerService } from '@interlock/broker';
import type { Bus } from '@interlock/bus';
import {
  type Claim,
  type EventBody,
  evidenceSchema,
  sealContext,
  sealedSchema,
  sha256,
  switchKey,
  type Tool,
} from '@interlock/contracts';
import { verifyRequest } from '@interlock/egress';
import { seal, unseal } from '@interlock/keys';
import {
  type CallParts,
  caller,
  eventually,
  makeCall,
  makeDecided,
  makeRefused,
  startTestBus,
  startUpstream,
  type TestBus,
  type Upstream,
} from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkCall } from './check.ts';
import { claimOf } from './claim.ts';
import { createLeaseKey } from './lease.ts';
import { executorService } from './main.ts';
import { httpTool } from './tool.fixture.ts';

const CREDENTIAL = 'sk-live-0c41d9e2';

interface Setting {
  testBus: TestBus;
  upstream: Upstream;
  ingress: Bus;
  decider: Bus;
  limiter: Bus;
  console: Bus;
}

let setting: Setting;
const stack = new AsyncDisposableStack();
let calls = 0;

beforeAll(async () => {
  const testBus = stack.use(await startTestBus());
  const upstream = stack.use(await startUpstream({ credential: CREDENTIAL }));
  const [ingress, decider, limiter, console] = await Promise.all([
    testBus.busOf('ingress'),
    testBus.busOf('decider'),
    testBus.busOf('limiter'),
    testBus.busOf('console'),
  ]);
  setting = { testBus, upstream, ingress, decider, limiter, console };
  await testBus.start([brokerService, executorService]);
  const sealed = seal(
    CREDENTIAL,
    testBus.keyring.sealKeysOf('broker', Date.now()),
    sealContext('credential', 'blog'),
  );
  const entry = await console.ask('broker.seal', { name: 'blog', sealed }, 5_000);
  expect(JSON.stringify(entry)).not.toContain(CREDENTIAL);
  await console.entries('credentials').put('blog', entry);
});

afterAll(async () => {
  await stack.disposeAsync();
});

/** Stores a tool that writes posts upstream; each test has its own. */
async function storedTool(more: Parameters<typeof httpTool>[1] = {}, on = setting): Promise<Tool> {
  calls += 1;
  const credential = { name: 'blog', inject: { as: 'bearer' as const } };
  const tool = httpTool(on.upstream.url, { name: `post_${calls}`, credential, ...more });
  await on.console.entries('tools').put(tool.name, tool);
  return tool;
}

/** Takes a call down the line to `admitted`, as ingress, decider and limiter do. */
async function admit(
  tool: Tool,
  parts: CallParts & { decision?: Parameters<typeof makeDecided>[2] } = {},
  on = setting,
): Promise<string> {
  calls += 1;
  const { decision, ...more } = parts;
  const made = makeCall({ tool, call: `call_${calls}`, args: { blog: 'b1', title: 'Hi' }, ...more });
  const { sign } = await on.testBus.keysOf('decider');
  const body = makeDecided(made, sign, decision);
  const requested = await on.ingress.publish('requested', made, { call: made }, 0);
  const decided = await on.decider.publish('decided', made, body, sequenceOf(requested));
  await on.limiter.publish('admitted', made, { ...body, charges: [] }, sequenceOf(decided));
  return made.call;
}

function sequenceOf(published: Awaited<ReturnType<Bus['publish']>>): number {
  if (!published.stored) throw new TypeError('The event was not stored.');
  return published.sequence;
}

async function ended(call: string) {
  return await eventually(async () => {
    const last = await setting.ingress.readCall(caller.tenant, call);
    return last?.step === 'settled' || last?.step === 'refused' ? last : undefined;
  });
}

async function settled(call: string): Promise<EventBody<'settled'>> {
  const last = await ended(call);
  if (last.step !== 'settled') throw new TypeError(`The call was refused: ${last.body.code}.`);
  return last.body;
}

const effectsOf = (call: string) => setting.upstream.effects.get(call) ?? 0;

describe('[P-unsure-means-no] nothing is done for', () => {
  test('[P-statements-role-bound] a call whose decision was signed by somebody else', async () => {
    const tool = await storedTool();
    const made = makeCall({ tool, call: 'forged_1' });
    const { sign } = await setting.testBus.keysOf('limiter');
    const body = makeDecided(made, sign);
    const decided = await setting.decider.publish('decided', made, body, 0);
    await setting.limiter.publish('admitted', made, { ...body, charges: [] }, sequenceOf(decided));
    expect(await ended('forged_1')).toMatchObject({ step: 'refused', body: { code: 'statement_invalid' } });
    expect(effectsOf('forged_1')).toBe(0);
  });

  test('a tool that changed after the decision', async () => {
    const tool = await storedTool();
    const call = await admit({ ...tool, description: 'As it was before.' });
    expect(await ended(call)).toMatchObject({ step: 'refused', body: { code: 'tool_changed' } });
  });

  test('arguments that do not fit the URL, and [P-evidence-sealed] the record says so to the auditor alone', async () => {
    const call = await admit(await storedTool(), { args: { blog: '..' } });
    const last = await ended(call);
    expect(last).toMatchObject({
      step: 'refused',
      body: { code: 'template_argument_refused', pointer: '/blog' },
    });
    if (last.step !== 'refused') throw new TypeError('The call is refused.');
    const { seal: key } = await setting.testBus.keysOf('auditor');
    const text = unseal(last.body.evidence, key, sealContext('evidence', call)).toString('utf8');
    expect(evidenceSchema.parse(JSON.parse(text)).call?.arguments).toBe('{"blog":".."}');
  });

  test('a call past its last instant', async () => {
    const call = await admit(await storedTool(), { decision: { notAfter: Date.now() - 1 } });
    expect(await ended(call)).toMatchObject({ step: 'refused', body: { code: 'deadline_passed' } });
  });

  test('[P-call-cancelled] a call whose agent closed the connection before it started', async () => {
    const tool = await storedTool();
    setting.ingress.sendCancel('replica', `call_${calls + 1}`);
    const call = await admit(tool);
    expect(await ended(call)).toMatchObject({ step: 'refused', body: { code: 'cancelled', by: 'executor' } });
    expect(effectsOf(call)).toBe(0);
  });

  test('a tool the kill switch stops, until it is off again', async () => {
    const tool = await storedTool();
    const key = switchKey({ kind: 'tool', tool: tool.name });
    const flip = (on: boolean) =>
      setting.console.entries('switches').put(key, { on, by: 'ada', at: Date.now() });
    await flip(true);
    const refusal = await eventually(async () => {
      const last = await ended(await admit(tool));
      return last.step === 'refused' ? last : undefined;
    });
    expect(refusal.body).toMatchObject({ code: 'killed', rule: `switches/${key}` });
    await flip(false);
    await eventually(async () => ((await ended(await admit(tool))).step === 'settled' ? true : undefined));
  });
});

describe('an allowed call', () => {
  test('[P-identity-signed-request] has one effect, with its credential and a signature an API owner can verify', async () => {
    setting.upstream.behave({ kind: 'answer', body: { id: 7 } });
    const received = Promise.withResolvers<string>();
    await setting.ingress.onResult('rep_7', (call, body) =>
      received.resolve(`${call} ${Buffer.from(body).toString('utf8')}`),
    );
    const call = await admit(await storedTool({ labels: ['writes'] }), { replyTo: 'rep_7' });
    const outcome = await settled(call);
    expect(outcome).toMatchObject({
      outcome: 'succeeded',
      upstreamStatus: 200,
      redactions: 0,
      labels: ['writes'],
    });
    expect(outcome.result?.digest).toBe(sha256('{"id":7}'));
    expect(await received.promise).toBe(`${call} {"id":7}`);
    expect(effectsOf(call)).toBe(1);
    const request = setting.upstream.requests.find((one) => one.call === call);
    if (request === undefined) throw new TypeError('The request arrived.');
    const signer = await setting.testBus.keysOf('executor');
    const message = {
      ...request,
      url: `${setting.upstream.url}${request.url}`,
      body: Buffer.from(request.body),
    };
    const keys = (keyId: string) => setting.testBus.keyring.find(keyId, 'sign', Date.now())?.key;
    expect(verifyRequest(message, { keys, now: new Date(), maxAgeSeconds: 60 })).toEqual({
      ...caller,
      call,
    });
    expect(request.headers['signature-input']).toContain(signer.sign.keyId);
    expect(JSON.parse(request.body)).toEqual({ title: 'Hi' });
  });

  test('[P-secret-redacted] gets nothing back of a credential that the upstream echoes', async () => {
    setting.upstream.behave({ kind: 'echo' });
    const call = await admit(await storedTool(), { keepResult: true });
    expect(await settled(call)).toMatchObject({ outcome: 'succeeded', redactions: 1, keepResult: true });
    const kept = await setting.ingress.blobs('results').get(`${caller.tenant}.${call}`);
    const sealed = sealedSchema.parse(JSON.parse(Buffer.from(kept ?? []).toString('utf8')));
    const { seal: key } = await setting.testBus.keysOf('ingress');
    const text = unseal(sealed, key, sealContext('result', call)).toString('utf8');
    expect(JSON.parse(text)).toEqual({ credential: '[secret]' });
    setting.upstream.behave({ kind: 'answer' });
  });

  test('fails with the status of an upstream that says no', async () => {
    setting.upstream.behave({ kind: 'fail', status: 409 });
    expect(await settled(await admit(await storedTool()))).toMatchObject({
      outcome: 'failed',
      upstreamStatus: 409,
    });
    setting.upstream.behave({ kind: 'answer' });
  });

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

  test('fails, and nothing was sent, when its credential is not set', async () => {
    const credential = { name: 'unset', inject: { as: 'bearer' as const } };
    const call = await admit(await storedTool({ credential }));
    expect(await settled(call)).toMatchObject({ outcome: 'failed', code: 'credential_unknown' });
    expect(effectsOf(call)).toBe(0);
  });

  test('fails, and nothing was sent, when the destination cannot be reached', async () => {
    const call = await admit(
      await storedTool({
        target: {
          url: 'http://127.0.0.1:1/x',
          egress: { allow: ['http://127.0.0.1:1'], allowPrivate: ['127.0.0.1/32'] },
        },
      }),
    );
    expect(await settled(call)).toMatchObject({ outcome: 'failed', code: 'egress_unreachable' });
  });

  test('[P-effect-at-most-once] is unknown when the upstream took it and did not answer, and is not sent again', async () => {
    setting.upstream.behave({ kind: 'drop' });
    const call = await admit(await storedTool());
    const outcome = await settled(call);
    expect(outcome).toMatchObject({ outcome: 'unknown', code: 'egress_broken' });
    expect(outcome.result).toBeUndefined();
    expect(effectsOf(call)).toBe(1);
    setting.upstream.behave({ kind: 'answer' });
  });
});

describe('[P-orphans-settle] a claim whose executor is gone', () => {
  /** Claims a call as an executor that dies right after. */
  async function abandon(tool: Tool, call: string): Promise<Claim> {
    const executor = await setting.testBus.busOf('executor');
    const nowMs = Date.now();
    const { sign } = await setting.testBus.keysOf('decider');
    const event = makeDecided(makeCall({ tool, call, nowMs, args: { blog: 'b1', title: 'Hi' } }), sign);
    const facts = {
      tool,
      route: { replyTo: 'rep_1', keepResult: false },
      evidence: event,
      executor: 'gone',
      leaseKey: createLeaseKey().publicKey,
    };
    const claim = claimOf(
      checkCall(event, setting.testBus.keyring, nowMs),
      facts,
      setting.testBus.keyring,
      nowMs,
    );
    expect(await executor.claim('started', claim, 0)).toMatchObject({ stored: true });
    return claim;
  }

  test('settles as unknown after its limit', async () => {
    await abandon(await storedTool({ claimMs: 500 }), 'gone_1');
    expect(await settled('gone_1')).toMatchObject({ outcome: 'unknown', code: 'outcome_unknown' });
    expect(effectsOf('gone_1')).toBe(0);
  });

  test('is carried out under its first idempotency key when the tool is idempotent', async () => {
    const target = { idempotencyHeader: 'Idempotency-Key' };
    await abandon(await storedTool({ claimMs: 500, idempotent: true, target }), 'gone_2');
    expect(await settled('gone_2')).toMatchObject({ outcome: 'succeeded' });
    expect(effectsOf('gone_2')).toBe(1);
    const request = setting.upstream.requests.find(({ call }) => call === 'gone_2');
    expect(request?.headers['idempotency-key']).toBe('gone_2');
    expect(await setting.ingress.readStep('restarted', caller.tenant, 'gone_2')).toBeDefined();
  });

  test('gets no credential for a key that stands in no claim', async () => {
    const tool = await storedTool({ claimMs: 60_000 });
    const executor = await setting.testBus.busOf('executor');
    const { sign } = await setting.testBus.keysOf('decider');
    const { call, statement } = makeDecided(makeCall({ tool }), sign);
    const asked = { tenant: call.tenant, call: call.call, statement, arguments: call.arguments };
    await expect(executor.ask('broker.lease', asked, 5_000)).rejects.toMatchObject({ code: 'lease_refused' });
  });
});

test('[P-step-drain] an executor that stops finishes the call it started', async () => {
  await using testBus = await startTestBus();
  await using upstream = await startUpstream();
  const services = await testBus.start([executorService]);
  const [ingress, decider, limiter, console] = await Promise.all([
    testBus.busOf('ingress'),
    testBus.busOf('decider'),
    testBus.busOf('limiter'),
    testBus.busOf('console'),
  ]);
  const own = { testBus, upstream, ingress, decider, limiter, console };
  upstream.behave({ kind: 'delay', delayMs: 300 });
  const call = await admit(await storedTool({ credential: [] }, own), {}, own);
  await eventually(() => upstream.requests.length === 1);
  await services[Symbol.asyncDispose]();
  expect(await ingress.readCall(caller.tenant, call)).toMatchObject({
    step: 'settled',
    body: { outcome: 'succeeded' },
  });
});

test('[P-ledger-missing] nothing new starts while the ledger is more than four fifths full', async () => {
  await using testBus = await startTestBus({ ledgerMaxBytes: 128 * 1_024 });
  await using upstream = await startUpstream();
  const [ingress, decider, limiter, console] = await Promise.all([
    testBus.busOf('ingress'),
    testBus.busOf('decider'),
    testBus.busOf('limiter'),
    testBus.busOf('console'),
  ]);
  const own = { testBus, upstream, ingress, decider, limiter, console };
  const tool = await storedTool({ credential: [] }, own);
  for (let index = 0; index < 60; index += 1) {
    const head = { ...caller, call: `full_${index}`, tool: tool.name };
    const refusal = { by: 'ingress', code: 'agent_flood', detail: 'x'.repeat(1_000) } as const;
    await ingress.refuse(makeRefused(head, testBus.keyring, refusal));
  }
  await testBus.start([executorService]);
  const call = await admit(tool, {}, own);
  const last = await eventually(() => ingress.readCall(caller.tenant, call));
  expect(last).toMatchObject({ step: 'refused', body: { code: 'ledger_full' } });
  expect(upstream.requests).toEqual([]);
});
