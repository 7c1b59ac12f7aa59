import {
  type EventBody,
  eventSchemas,
  evidenceSchema,
  Fault,
  type HeldCall,
  sealContext,
  sha256,
} from '@interlock/contracts';
import { unseal, verifyStatement } from '@interlock/keys';
import { type LoadedPolicy, openBundle } from '@interlock/policy';
import { buildPolicy, createTestKeys } from '@interlock/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  agent,
  callOf,
  contextOf,
  nowMs,
  requested,
  resolved,
  resolvedEvent,
  session,
  toolOf,
} from './decision.fixture.ts';
import { decideAgain, decideRequested, poisonRequested, poisonResolved } from './steps.ts';

const keys = createTestKeys();
const read = toolOf('read_order', { labels: ['reads-private'] });
const remove = toolOf('delete_order', { labels: ['destructive'] });
const pay = toolOf('pay', { labels: ['spends'], spends: '/amount/value' });
let policy: LoadedPolicy;

beforeAll(async () => {
  const bytes = await buildPolicy({
    data: {
      config: {
        allow_listed: [{ roles: ['support'], tools: ['read_order', 'delete_order', 'pay', 'wipe'] }],
        blocked_tools: [{ tools: ['wipe'] }],
        amount_cap: [{ tools: ['pay'], ask_above: 100, deny_above: 1_000 }],
      },
    },
  });
  policy = openBundle({ version: 1, digest: sha256(bytes), bytes: bytes.byteLength }, bytes);
});

function evidenceOf(body: EventBody<'refused'>) {
  const opened = unseal(body.evidence, keys.keysOf('auditor').seal, sealContext('evidence', body.call));
  return evidenceSchema.parse(JSON.parse(opened.toString('utf8')));
}

describe('a call that is not consistent is refused', () => {
  const other = sha256('other');
  test.each([
    ['arguments changed under their digest', { arguments: '{"order":2}' }, 'statement_invalid'],
    ['another arguments digest', { argumentsDigest: other }, 'statement_invalid'],
    ['another call digest', { callDigest: other }, 'statement_invalid'],
    ['another user', { user: 'eve' }, 'statement_invalid'],
    ['another agent', { agent: 'eve' }, 'statement_invalid'],
    ['another session', { session: 'eve' }, 'statement_invalid'],
    ['another tool version', { toolVersion: other }, 'statement_invalid'],
    ['a deadline that has passed', { notAfter: nowMs }, 'deadline_passed'],
    ['a deadline too far in the future', { notAfter: nowMs + 600_000 }, 'statement_invalid'],
  ] as const)('%s', async (_, more, code) => {
    const context = contextOf(keys, read, policy);
    const next = await decideRequested(context, requested(callOf(read, { order: 1 }, more)));
    expect(next).toMatchObject({ step: 'refused', body: { code, by: 'decider', call: 'call_1' } });
  });

  test('[P-statements-exact-call] an address of another call or tenant', async () => {
    const context = contextOf(keys, read, policy);
    for (const address of [{ call: 'call_2' }, { tenant: 'other' }]) {
      const next = await decideRequested(context, requested(callOf(read), address));
      expect(next).toMatchObject({ step: 'refused', body: { code: 'statement_invalid' } });
    }
  });

  test('arguments that are not an object', async () => {
    const context = contextOf(keys, read, policy);
    for (const argument of [[], null, 'text', 1]) {
      const next = await decideRequested(context, requested(callOf(read, argument)));
      expect(next).toMatchObject({ step: 'refused', body: { code: 'statement_invalid' } });
    }
  });

  test('an agent that is registered otherwise, or was removed', async () => {
    const context = contextOf(keys, read, policy);
    const call = requested(callOf(read));
    for (const wrong of [{ tenant: 'other' }, { agent: 'other' }, { user: 'eve' }, { session: 'other' }])
      expect(
        await decideRequested({ ...context, agentOf: async () => ({ ...agent, ...wrong }) }, call),
      ).toMatchObject({
        body: { code: 'statement_invalid' },
      });
    expect(await decideRequested({ ...context, agentOf: async () => undefined }, call)).toMatchObject({
      body: { code: 'key_invalid' },
    });
  });

  test("somebody else's session", async () => {
    const context = contextOf(keys, read, policy);
    const sessions = { ...context.sessions, of: async () => ({ ...session, user: 'eve' }) };
    expect(await decideRequested({ ...context, sessions }, requested(callOf(read)))).toMatchObject({
      body: { code: 'statement_invalid' },
    });
  });

  test('a tool that was changed or removed since the call was validated', async () => {
    const changed = contextOf(keys, toolOf('read_order', { labels: [] }), policy);
    expect(await decideRequested(changed, requested(callOf(read)))).toMatchObject({
      body: { code: 'tool_changed' },
    });
    const gone = { ...changed, toolOf: async () => undefined };
    expect(await decideRequested(gone, requested(callOf(read)))).toMatchObject({
      body: { code: 'tool_unknown' },
    });
  });
});

describe('policy decides', () => {
  test('[P-unsure-means-no] [P-line-refusal-is-an-event] refuses everything without a policy', async () => {
    const next = await decideRequested(contextOf(keys, read, undefined), requested(callOf(read)));
    expect(next).toMatchObject({ step: 'refused', body: { code: 'policy_missing' } });
  });

  test.each([
    ['fails', 'allow contains "So many." if count(numbers.range(1, input.arguments.many)) > 0'],
    [
      'gives two answers at once',
      'notes := {"one"} if input.arguments.many\n\nnotes := {"other"} if input.arguments.many',
    ],
  ])('[P-unsure-means-no] refuses a call about which the policy %s', async (_, rule) => {
    const bytes = await buildPolicy({
      rules: { failing: rule },
      data: { config: { allow_listed: [{ agents: ['clerk'], tools: ['*'] }] } },
    });
    const failing = openBundle({ version: 1, digest: sha256(bytes), bytes: bytes.byteLength }, bytes);
    const call = requested(callOf(read, { many: 90_000_000 }));
    expect(await decideRequested(contextOf(keys, read, failing), call)).toMatchObject({
      step: 'refused',
      body: { code: 'policy_error' },
    });
    const other = requested(callOf(read, {}));
    expect(await decideRequested(contextOf(keys, read, failing), other)).toMatchObject({ step: 'decided' });
  });

  test.each([
    ['[P-default-deny] a tool nobody granted', toolOf('list_orders'), {}, 'policy_default', undefined],
    ['a blocked tool', toolOf('wipe'), {}, 'policy_denied', 'blocked_tools'],
    ['a payment above the cap', pay, { amount: { value: 5_000 } }, 'policy_denied', 'amount_cap'],
    ['a payment that is not a number', pay, { amount: { value: '5' } }, 'policy_denied', 'amount_cap'],
    ['a payment without an amount', pay, { amount: [] }, 'policy_denied', 'amount_cap'],
  ] as const)('refuses %s and names the rule', async (_, tool, argument, code, rule) => {
    const next = await decideRequested(
      contextOf(keys, tool, policy),
      requested(callOf(tool, argument as never)),
    );
    expect(next.step).toBe('refused');
    if (next.step !== 'refused') return;
    expect(eventSchemas.refused.parse(next.body)).toMatchObject({
      code,
      ...(rule === undefined ? {} : { rule }),
    });
    expect(evidenceOf(next.body)).toMatchObject({
      call: { arguments: JSON.stringify(argument) },
      decision: { verdict: 'deny', policyDigest: policy.digest },
    });
  });

  test.each([
    ['a destructive call', remove, {}, 'destructive_asks'],
    ['a large payment', pay, { amount: { value: 500 } }, 'amount_cap'],
  ] as const)('holds %s and keeps its result', async (_, tool, argument, rule) => {
    const next = await decideRequested(contextOf(keys, tool, policy), requested(callOf(tool, argument)));
    expect(next).toMatchObject({
      step: 'held',
      body: { call: { keepResult: true }, decision: { verdict: 'ask', reasons: [{ rule }] } },
    });
    if (next.step !== 'held') return;
    expect(verifyStatement(next.body.statement, 'decision', keys.keyring, nowMs).verdict).toBe('ask');
  });

  test('allows a granted call with a statement that repeats every field of it', async () => {
    const call = callOf(read, { order: 1 });
    const next = await decideRequested(contextOf(keys, read, policy), requested(call));
    expect(next.step).toBe('decided');
    if (next.step !== 'decided') return;
    const { decision, statement } = eventSchemas.decided.parse(next.body);
    expect(verifyStatement(statement, 'decision', keys.keyring, nowMs)).toEqual({
      type: 'decision',
      tenant: 'acme',
      agent: 'clerk',
      user: 'ada',
      session: 'ses_1',
      call: 'call_1',
      tool: 'read_order',
      toolVersion: call.toolVersion,
      argumentsDigest: call.argumentsDigest,
      callDigest: call.callDigest,
      verdict: 'allow',
      obligations: [],
      policyDigest: policy.digest,
      issuedAt: nowMs,
      notAfter: call.notAfter,
    });
    expect(decision.facts).toMatchObject({ subject: { roles: ['support'], proof: 'api_key' } });
    expect(decision.facts).not.toHaveProperty('arguments');
  });
});

describe('a resolved question', () => {
  async function hold(tool = remove): Promise<HeldCall> {
    const next = await decideRequested(contextOf(keys, tool, policy), requested(callOf(tool)));
    if (next.step !== 'held') throw new Error(`expected the call to be held, it was ${next.step}`);
    return {
      call: next.body.call,
      decision: next.body.decision,
      statement: next.body.statement,
      heldSequence: 7,
    };
  }

  test.each([
    [
      'denied',
      { resolution: 'denied', reason: 'not today' },
      'approval_denied',
      'bob denied this call: not today',
    ],
    ['expired', { resolution: 'expired' }, 'approval_expired', 'Nobody approved'],
    ['approved by nobody', { nobody: true }, 'statement_invalid', 'does not say who'],
    ['approved too long ago', { notAfter: nowMs }, 'deadline_passed', 'reached its deadline'],
    ['approved without an end', { notAfter: nowMs + 600_000 }, 'statement_invalid', 'too far in the future'],
    [
      'about another version of the call',
      { callDigest: sha256('other') },
      'statement_invalid',
      'another version',
    ],
    ['about another call', { call: 'call_2' }, 'statement_invalid', 'another call'],
    ['about another tenant', { tenant: 'other' }, 'statement_invalid', 'another call'],
  ] as const)('%s ends the call', async (_, more, code, text) => {
    const event = resolvedEvent(keys, await hold(), more);
    const next = await decideAgain(contextOf(keys, remove, policy), resolved(event));
    expect(next).toMatchObject({ step: 'refused', body: { code, detail: expect.stringContaining(text) } });
  });

  test('[P-statements-role-bound] forged by another service ends the call', async () => {
    const forger = { keyring: keys.keyring, keysOf: () => keys.keysOf('console') };
    const event = resolvedEvent(forger, await hold());
    const next = await decideAgain(contextOf(keys, remove, policy), resolved(event));
    expect(next).toMatchObject({
      step: 'refused',
      body: { code: 'statement_invalid', tool: 'delete_order' },
    });
  });

  test('with a held call that does not open ends the call', async () => {
    const held = await hold();
    const event = {
      ...resolvedEvent(keys, held),
      sealed: resolvedEvent(createTestKeys(), held).sealed,
    };
    const next = await decideAgain(contextOf(keys, remove, policy), resolved(event));
    expect(next).toMatchObject({ step: 'refused', body: { code: 'statement_invalid', tool: 'unknown' } });
  });

  test('[P-unsure-means-no] with arguments changed after the question ends the call', async () => {
    const held = await hold();
    const event = resolvedEvent(keys, { ...held, call: { ...held.call, arguments: '{"order":2}' } });
    const next = await decideAgain(contextOf(keys, remove, policy), resolved(event));
    expect(next).toMatchObject({ step: 'refused', body: { code: 'statement_invalid' } });
  });

  test('[P-line-no-way-round] approved meets the policy in force now: what that denies or asks about again is refused', async () => {
    const stricter = async (rule: string) => {
      const bytes = await buildPolicy({
        rules: { stricter: rule },
        data: { config: { allow_listed: [{ agents: ['clerk'], tools: ['*'] }] } },
      });
      const context = contextOf(
        keys,
        remove,
        openBundle({ version: 1, digest: sha256(bytes), bytes: bytes.byteLength }, bytes),
      );
      return await decideAgain(context, resolved(resolvedEvent(keys, await hold())));
    };
    expect(await stricter('deny contains "No." if input.tool.name == "delete_order"')).toMatchObject({
      body: { code: 'policy_denied', rule: 'stricter' },
    });
    expect(await stricter('ask contains "Again." if input.tool.name == "delete_order"')).toMatchObject({
      body: { code: 'approval_insufficient', rule: 'stricter' },
    });
  });

  test('approved goes on with the person in the statement and the time the approval leaves', async () => {
    const next = await decideAgain(
      contextOf(keys, remove, policy),
      resolved(resolvedEvent(keys, await hold())),
    );
    expect(next).toMatchObject({ step: 'decided', heldSequence: 7 });
    if (next.step !== 'decided') return;
    const { call, statement } = eventSchemas.decided.parse(next.body);
    expect(call).toMatchObject({ keepResult: true, notAfter: nowMs + 59_000 });
    expect(verifyStatement(statement, 'decision', keys.keyring, nowMs)).toMatchObject({
      verdict: 'allow',
      approval: { person: 'bob', resolvedAt: nowMs - 1_000, questionDigest: sha256('question') },
      notAfter: nowMs + 59_000,
      callDigest: call.callDigest,
    });
  });
});

test('refuses a held call the decider did not ask about, even when an approver signs for it', async () => {
  const asked = await decideRequested(contextOf(keys, remove, policy), requested(callOf(remove)));
  if (asked.step !== 'held') throw new Error(`expected the call to be held, it was ${asked.step}`);
  const { decision, statement } = asked.body;
  const invented = { call: callOf(remove, { id: 'another' }), decision, statement, heldSequence: 7 };
  for (const held of [invented, { ...invented, statement: '' }]) {
    const next = await decideAgain(contextOf(keys, remove, policy), resolved(resolvedEvent(keys, held)));
    expect(next).toMatchObject({ step: 'refused', body: { code: 'statement_invalid' } });
  }
});

describe('a call that cannot be handled is refused as poison', () => {
  test('[P-line-poison] with its arguments in the evidence', () => {
    const body = poisonRequested(
      contextOf(keys, read, policy),
      requested(callOf(read, { order: 1 })),
      new Fault('poison'),
    );
    expect(body).toMatchObject({ code: 'poison', call: 'call_1' });
    expect(evidenceOf(body)).toMatchObject({ call: { arguments: '{"order":1}' } });
  });

  test('even when only its id is known', () => {
    const held = { call: callOf(read), decision: policyDecision(), statement: '', heldSequence: 7 };
    const event = resolvedEvent(createTestKeys(), held);
    expect(poisonResolved(contextOf(keys, read, policy), resolved(event), new Fault('poison'))).toMatchObject(
      {
        code: 'poison',
        call: 'call_1',
        agent: 'unknown',
      },
    );
  });

  function policyDecision(): HeldCall['decision'] {
    return {
      verdict: 'ask',
      reasons: [],
      obligations: [],
      policyDigest: sha256(''),
      notes: [],
      policyVersion: 1,
      facts: {},
      decidedAt: nowMs,
    };
  }
});
