import {
  type Call,
  callDigestOf,
  type EventBody,
  type Limit,
  limitSchema,
  newId,
  type Statement,
  sha256,
  type Tool,
  toolSchema,
  toolVersionOf,
} from '@interlock/contracts';
import { verifyDecision } from '@interlock/gate';
import { createKey, Keyring, serviceKeysSchema, signStatement } from '@interlock/keys';
import { describe, expect, test } from 'vitest';
import { type AdmitFacts, concludeCharge, planCharge } from './admit.ts';
import { spendMicros } from './spend.ts';
import type { Charge } from './take.ts';

const NOW_MS = 1_800_000_000_000;
const decider = signer('decider');
const executor = signer('executor');
const keyring = new Keyring([decider.certified, executor.certified]);
const tool = toolSchema.parse({
  name: 'pay',
  description: 'Pays.',
  inputSchema: {},
  spends: '/amount/value',
  claimMs: 10_000,
  target: { kind: 'http', method: 'POST', url: 'https://pay.example/', egress: { allow: ['pay.example'] } },
});

describe('checking a decision', () => {
  test('[P-statements-role-bound] refuses one signed by any other service', () => {
    const { event } = decidedEvent({}, { key: executor.key });
    expect(() => verifyDecision(event, 'allow', keyring, NOW_MS)).toThrow('statement_invalid');
  });

  test.each(['tenant', 'agent', 'user', 'session', 'call', 'tool'] as const)(
    '[P-statements-exact-call] refuses one made for another %s',
    (field) => {
      const { event } = decidedEvent();
      const other = { ...event, call: { ...event.call, [field]: 'other' } };
      expect(() => verifyDecision(other, 'allow', keyring, NOW_MS)).toThrow('statement_invalid');
    },
  );

  test('refuses one made for other arguments', () => {
    const { event } = decidedEvent();
    const other = { ...event, call: { ...event.call, argumentsDigest: sha256('{}') } };
    expect(() => verifyDecision(other, 'allow', keyring, NOW_MS)).toThrow('statement_invalid');
  });

  test('refuses one that asks instead of allowing', () => {
    const { event } = decidedEvent({ verdict: 'ask' });
    expect(() => verifyDecision(event, 'allow', keyring, NOW_MS)).toThrow('statement_invalid');
  });

  test('returns an authentic one about this call', () => {
    const { event, decision } = decidedEvent();
    expect(verifyDecision(event, 'allow', keyring, NOW_MS)).toEqual(decision);
  });
});

describe('planning what is taken', () => {
  const budget = limit({ name: 'budget', spend: { amount: 10, windowMs: 1_000 } });

  test('refuses a call past its last instant', () => {
    expect(() => plan({ statement: { notAfter: NOW_MS } })).toThrow('deadline_passed');
  });

  test('[P-kill-within-a-second] refuses a call a kill switch is on for, and names the switch', () => {
    expect(() => plan({ facts: { killed: 'tool.pay' } })).toThrow(
      expect.objectContaining({ code: 'killed', rule: 'switches/tool.pay' }),
    );
  });

  test('refuses a call whose tool is gone or is another version', () => {
    expect(() => plan({ facts: { tool: undefined } })).toThrow('tool_changed');
    expect(() => plan({ facts: { tool: { definition: tool, version: sha256('other') } } })).toThrow(
      'tool_changed',
    );
  });

  test.each([
    ['nothing there', '{}'],
    ['a text', '{"amount":{"value":"5"}}'],
    ['a negative number', '{"amount":{"value":-1}}'],
    ['a number too large to be finite', '{"amount":{"value":1e999}}'],
    ['a list instead', '{"amount":[]}'],
  ])('refuses a call that should say what it spends and has %s', (_, text) => {
    expect(() => plan({ limits: [budget], arguments: text })).toThrow(
      expect.objectContaining({ code: 'spend_amount_missing' }),
    );
  });

  test('takes no length of a list for an amount, as policy does not', () => {
    expect(spendMicros('{"items":[{"price":5}]}', '/items/0/price')).toBe(5_000_000);
    expect(() => spendMicros('{"items":[{"price":5}]}', '/items/length')).toThrow(
      expect.objectContaining({ code: 'spend_amount_missing', pointer: '/items/length' }),
    );
  });

  test('refuses arguments other than those that were decided', () => {
    const { event, decision } = decidedEvent();
    const other = { ...event.call, arguments: '{"amount":{"value":0}}' };
    expect(() => planCharge(decision, other, facts({ limits: { limits: [budget] } }), NOW_MS)).toThrow(
      'statement_invalid',
    );
  });

  test('takes nothing from limits that do not match', () => {
    const others = [{ tenant: 'x' }, { agent: 'x' }, { user: 'x' }, { tool: 'x' }].map((match, index) =>
      limit({ name: `other-${index}`, match }),
    );
    expect(plan({ limits: others }).charges).toEqual([]);
  });

  test('counts an agent within its tenant, and only apart for what the limit says', () => {
    const [charge] = plan({ limits: [limit({ name: 'each', per: ['agent', 'tool'] })] }).charges;
    expect(charge?.key).toBe('il:{limits}:rate:each:tenant=t.agent=a.tool=pay');
  });

  test('counts a session within its tenant', () => {
    const [charge] = plan({ limits: [limit({ name: 'task', per: ['session'] })] }).charges;
    expect(charge?.key).toBe('il:{limits}:rate:task:tenant=t.session=s');
  });

  test('takes the spent amount in whole millionths, rounded up', () => {
    const taken = ['0.1', '0.29', '1.0000001'].map(
      (value) => plan({ limits: [budget], arguments: `{"amount":{"value":${value}}}` }).charges[0],
    );
    expect(taken.map((charge) => charge?.kind === 'spend' && charge.amountMicros)).toEqual([
      100_000, 290_000, 1_000_001,
    ]);
  });

  test('holds slots until the deadline and the longest claim have passed', () => {
    expect(plan({ statement: { notAfter: NOW_MS + 5_000 } }).holdMs).toBe(15_000);
  });
});

describe('[P-obligations] what policy obliges to', () => {
  const parameters = {
    limit: 'of_a_task',
    kind: 'spend',
    per: ['session'],
    windowMs: 86_400_000,
    budget: 500,
    amount: 90,
  };
  const obliged = (...more: object[]) => {
    const obligations = more.map((one) => ({ name: 'limit', parameters: { ...parameters, ...one } }));
    return plan({ statement: { obligations } }).charges;
  };

  test.each([
    ['an unknown name', [{ name: 'notify' }]],
    ['an unknown name among known ones', [{ name: 'announce' }, { name: 'Limit', parameters }]],
    ['a limit without parameters', [{ name: 'limit' }]],
  ])('refuses the call for %s', (_, obligations) => {
    expect(() => plan({ statement: { obligations } })).toThrow('obligation_unknown');
  });

  test.each([
    ['a negative amount', { amount: -1 }],
    ['an amount that is no number', { amount: '5' }],
    ['an amount without bounds', { amount: Number.POSITIVE_INFINITY }],
    ['no amount', { amount: undefined }],
    ['a negative budget', { budget: -1 }],
    ['an unknown kind', { kind: 'rate' }],
    ['an unknown dimension', { per: ['session', 'planet'] }],
    ['no dimension', { per: [] }],
    ['a window of no length', { windowMs: 0 }],
    ['a window longer than any', { windowMs: 32 * 86_400_000 }],
    ['a name that is none', { limit: 'a:b.c' }],
    ['a member nobody knows', { burst: 5 }],
  ])('refuses the call for a limit with %s', (_, wrong) => {
    expect(() => obliged(wrong)).toThrow('obligation_unknown');
  });

  test('refuses an amount that no budget holds', () => {
    expect(() => obliged({ amount: 1e300 })).toThrow('spend_limited');
    expect(() => obliged({ amount: 8e9 }, { amount: 7e9 })).toThrow('spend_limited');
  });

  test('is taken from a counter of its own, beside what is configured', () => {
    const obligations = [{ name: 'announce' }, { name: 'approval' }, { name: 'limit', parameters }];
    const budget = limit({ name: 'of_a_task', per: ['session'], spend: { amount: 10, windowMs: 1_000 } });
    const { charges } = plan({ limits: [budget], statement: { obligations } });
    expect(charges.map(({ key }) => key)).toEqual([
      'il:{limits}:spend:of_a_task:tenant=t.session=s',
      'il:{limits}:policy-spend:of_a_task.86400000:tenant=t.session=s',
    ]);
    expect(charges[1]).toMatchObject({ amountMicros: 90_000_000, budgetMicros: 500_000_000 });
  });

  test('is taken once where it is said twice of one counter: all of it, from the smallest budget', () => {
    expect(obliged({}, { amount: 10, budget: 100 })).toMatchObject([
      { amountMicros: 100_000_000, budgetMicros: 100_000_000 },
    ]);
    expect(obliged({}, { windowMs: 1_000 }, { kind: 'volume' }, { per: ['agent'] })).toHaveLength(4);
  });
});

describe('concluding', () => {
  const charge: Charge = { limit: 'l', key: 'k', kind: 'rate', calls: 5, windowMs: 1_000 };

  test.each([
    [charge, 'rate_limited'],
    [{ limit: 'l', key: 'k', kind: 'concurrency', slots: 1, unknownMs: 0 }, 'concurrency_limited'],
    [{ limit: 'l', key: 'k', kind: 'spend', amountMicros: 1, budgetMicros: 1, windowMs: 1 }, 'spend_limited'],
    [
      { limit: 'l', key: 'k', kind: 'volume', amountMicros: 1, budgetMicros: 1, windowMs: 1 },
      'spend_limited',
    ],
  ] satisfies [Charge, string][])(
    'names the limit, the rule and the wait of a refusal (%#)',
    (over, code) => {
      expect(() => concludeCharge([charge, over], { kind: 'refused', index: 1, waitMs: 700 })).toThrow(
        expect.objectContaining({
          code,
          rule: 'limits/l',
          retryAfterMs: 700,
          detail: expect.stringContaining('Limit l'),
        }),
      );
    },
  );

  test('tells what was taken and what is left, money in units', () => {
    const money: Charge = {
      limit: 'm',
      key: 'k',
      kind: 'spend',
      amountMicros: 2_500_000,
      budgetMicros: 10_000_000,
      windowMs: 1,
    };
    expect(concludeCharge([charge, money], { kind: 'admitted', left: [4, 7_500_000] })).toEqual([
      { limit: 'l', kind: 'rate', amount: 1, left: 4 },
      { limit: 'm', kind: 'spend', amount: 2.5, left: 7.5 },
    ]);
  });
});

function plan(set: {
  statement?: Partial<Statement<'decision'>>;
  facts?: Partial<AdmitFacts>;
  limits?: Limit[];
  arguments?: string;
}) {
  const { event, decision } = decidedEvent(set.statement, { arguments: set.arguments });
  return planCharge(
    decision,
    event.call,
    facts({ limits: { limits: set.limits ?? [] }, ...set.facts }),
    NOW_MS,
  );
}

function facts(set: Partial<AdmitFacts>): AdmitFacts {
  return {
    limits: { limits: [] },
    tool: { definition: tool, version: toolVersionOf(tool) },
    killed: undefined,
    ...set,
  };
}

function limit(set: Partial<Limit> & { name: string }): Limit {
  const rate = set.spend === undefined ? { rate: { calls: 1, windowMs: 1_000 } } : {};
  return limitSchema.parse({ per: ['tenant'], ...rate, ...set });
}

function decidedEvent(
  statement: Partial<Statement<'decision'>> = {},
  {
    key = decider.key,
    arguments: text = '{"amount":{"value":5}}',
  }: { key?: Key; arguments?: string | undefined } = {},
): { event: EventBody<'decided'>; decision: Statement<'decision'> } {
  const call = callOf(tool, text);
  const decision: Statement<'decision'> = {
    type: 'decision',
    tenant: call.tenant,
    agent: call.agent,
    user: call.user,
    session: call.session,
    call: call.call,
    tool: call.tool,
    toolVersion: call.toolVersion,
    argumentsDigest: call.argumentsDigest,
    callDigest: call.callDigest,
    verdict: 'allow',
    obligations: [],
    policyDigest: sha256('policy'),
    issuedAt: NOW_MS,
    notAfter: NOW_MS + 30_000,
    ...statement,
  };
  const record: EventBody<'decided'>['decision'] = {
    verdict: 'allow',
    reasons: [],
    obligations: [],
    notes: [],
    policyVersion: 1,
    policyDigest: decision.policyDigest,
    facts: {},
    decidedAt: NOW_MS,
  };
  return { event: { call, decision: record, statement: signStatement(decision, key) }, decision };
}

function callOf({ name }: Tool, text: string): Call {
  const call = {
    tenant: 't',
    agent: 'a',
    user: 'u',
    session: 's',
    call: newId('call'),
    tool: name,
    toolVersion: toolVersionOf(tool),
    arguments: text,
    argumentsDigest: sha256(text),
    replyTo: 'ingress',
    keepResult: false,
    requestedAt: NOW_MS,
    notAfter: NOW_MS + 30_000,
  };
  return { ...call, callDigest: callDigestOf(call) };
}

function signer(service: 'decider' | 'executor') {
  const [sign, box] = [createKey(service, 'sign', NOW_MS * 2), createKey(service, 'seal', NOW_MS * 2)];
  const keys = serviceKeysSchema.parse({
    service,
    busSeed: 'unused',
    sign: { keyId: sign.certified.keyId, privateKey: sign.privateKey },
    seal: { keyId: box.certified.keyId, privateKey: box.privateKey },
  });
  return { certified: sign.certified, key: keys.sign };
}

type Key = ReturnType<typeof signer>['key'];
