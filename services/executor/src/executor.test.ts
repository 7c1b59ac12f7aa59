import {
  type Claim,
  evidenceSchema,
  sealContext,
  sealedSchema,
  sha256,
  switchKey,
  type Tool,
} from '@interlock/contracts';
import { verifyRequest } from '@interlock/egress';
import { unseal } from '@interlock/keys';
import {
  caller,
  eventually,
  makeCall,
  makeDecided,
  makeRefused,
  startTestBus,
  startUpstream,
} from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkCall } from './check.ts';
import { claimOf } from './claim.ts';
import { createLeaseKey } from './lease.ts';
import {
  admit as admitOn,
  CREDENTIAL,
  ended as endedOn,
  nextCall,
  type Setting,
  sequenceOf,
  settingOf,
  settled as settledOn,
  startLine,
  storedTool as storedOn,
} from './line.fixture.ts';
import { executorService } from './main.ts';
import type { httpTool } from './tool.fixture.ts';

let setting: Setting;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  const { stored, ...line } = await startLine(stack);
  setting = line;
  expect(JSON.stringify(stored)).not.toContain(CREDENTIAL);
});

afterAll(async () => {
  await stack.disposeAsync();
});

const storedTool = (more: Parameters<typeof httpTool>[1] = {}, on = setting) => storedOn(more, on);
const admit = (
  tool: Parameters<typeof admitOn>[0],
  parts: Parameters<typeof admitOn>[1] = {},
  on = setting,
) => admitOn(tool, parts, on);
const ended = (call: string) => endedOn(call, setting);
const settled = (call: string) => settledOn(call, setting);
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
    setting.ingress.sendCancel('replica', nextCall());
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
    // The second claim lasts as long as the first, so a busy machine needs it to be longer than a quiet one does.
    await abandon(await storedTool({ claimMs: 3_000, idempotent: true, target }), 'gone_2');
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
  const own = await settingOf(testBus, upstream);
  upstream.behave({ kind: 'delay', delayMs: 300 });
  const call = await admit(await storedTool({ credential: [] }, own), {}, own);
  await eventually(() => upstream.requests.length === 1);
  await services[Symbol.asyncDispose]();
  expect(await own.ingress.readCall(caller.tenant, call)).toMatchObject({
    step: 'settled',
    body: { outcome: 'succeeded' },
  });
});

test('[P-ledger-missing] nothing new starts while the ledger is more than four fifths full', async () => {
  await using testBus = await startTestBus({ ledgerMaxBytes: 128 * 1_024 });
  await using upstream = await startUpstream();
  const own = await settingOf(testBus, upstream);
  const tool = await storedTool({ credential: [] }, own);
  for (let index = 0; index < 60; index += 1) {
    const head = { ...caller, call: `full_${index}`, tool: tool.name };
    const refusal = { by: 'ingress', code: 'agent_flood', detail: 'x'.repeat(1_000) } as const;
    await own.ingress.refuse(makeRefused(head, testBus.keyring, refusal));
  }
  await testBus.start([executorService]);
  const call = await admit(tool, {}, own);
  const last = await eventually(() => own.ingress.readCall(caller.tenant, call));
  expect(last).toMatchObject({ step: 'refused', body: { code: 'ledger_full' } });
  expect(upstream.requests).toEqual([]);
});
