import { type Limit, limitSchema, type Statement, type Tool } from '@interlock/contracts';
import { blockedBy, type EntrySource, verifyDecision } from '@interlock/gate';
import { createTestKeys, makeCall, makeDecided, makeDecision, makeTool } from '@interlock/testkit';
import { describe, expect, test } from 'vitest';
import { type AdmitFacts, concludeCharges, planCharges } from './admit.ts';
import type { Charge } from './charge.ts';
import { entriesOf, type LimiterSources } from './entries.ts';
import { spendMicros } from './spend.ts';

const NOW_MS = 1_800_000_000_000;
const identity = { tenant: 't', agent: 'a', user: 'u', session: 's' };
const tool = makeTool({ name: 'pay', spends: '/amount/value', claimMs: 10_000 });
const payment = { amount: { value: 5 } };

describe('what the entries say about a decided call', () => {
  const limits = { limits: [limit({ name: 'all' })] };
  const older = makeTool({ name: 'pay', description: 'As it was before.' });
  const call = makeCall({ ...identity, tool, args: payment, nowMs: NOW_MS });

  function sources(set: Partial<LimiterSources> = {}): LimiterSources {
    return {
      tools: toolsAt({ copy: tool, leader: tool }),
      settings: { current: true, get: () => limits },
      switches: { current: true, get: () => undefined },
      ...set,
    };
  }

  function toolsAt(held: { copy: Tool | undefined; leader: Tool | undefined }): EntrySource<'tools'> {
    const { copy, leader } = held;
    return {
      copy: { current: true, get: () => copy },
      leader: {
        get: async (key) => (leader === undefined ? undefined : { key, version: 1, value: leader }),
      },
    };
  }

  test.each<[string, Partial<LimiterSources>]>([
    ['the copy of the limits may be behind', { settings: { current: false, get: () => limits } }],
    ['no limits were ever applied', { settings: { current: true, get: () => undefined } }],
  ])('is not known while %s', async (_case, set) => {
    await expect(entriesOf(sources(set)).factsOf(call)).rejects.toMatchObject({
      code: 'dependency_unavailable',
    });
  });

  test('[P-unsure-means-no] holds the call back while the copy of the kill switches may be behind', async () => {
    const facts = await entriesOf(sources({ switches: { current: false, get: () => undefined } })).factsOf(
      call,
    );
    expect(() => planCharges(makeDecision(call), call, facts, NOW_MS)).toThrow('dependency_unavailable');
  });

  test.each([
    ['the copy lags behind', older],
    ['the copy does not have the tool yet', undefined],
  ])('is asked of the leader when %s: the call is not refused for it', async (_case, copy) => {
    const facts = await entriesOf(sources({ tools: toolsAt({ copy, leader: tool }) })).factsOf(call);
    expect(planCharges(makeDecision(call), call, facts, NOW_MS).charges).toHaveLength(1);
  });

  test('refuses a call whose tool neither the copy nor the leader has', async () => {
    const tools = toolsAt({ copy: older, leader: older });
    const facts = await entriesOf(sources({ tools })).factsOf(call);
    expect(() => planCharges(makeDecision(call), call, facts, NOW_MS)).toThrow('tool_changed');
  });
});

describe('planning the charges of a call', () => {
  const budget = limit({ name: 'budget', spend: { amount: 10, windowMs: 1_000 } });

  test('refuses a call past its last instant', () => {
    expect(() => plan({ statement: { notAfter: NOW_MS } })).toThrow('deadline_passed');
  });

  test('[P-kill-within-a-second] refuses a call a kill switch is on for, and names the switch', () => {
    const on = { on: true, by: 'bob', at: NOW_MS };
    const switches = { current: true, get: (key: string) => (key === 'tool.pay' ? on : undefined) };
    expect(() => plan({ facts: { blocked: blockedBy(switches, identity, tool) } })).toThrow(
      expect.objectContaining({ code: 'killed', rule: 'switches/tool.pay' }),
    );
  });

  test('refuses a call whose tool is gone or is another version', () => {
    expect(() => plan({ facts: { tool: undefined } })).toThrow('tool_changed');
    expect(() => plan({ facts: { tool: { ...tool, description: 'Other.' } } })).toThrow('tool_changed');
  });

  test.each([
    ['nothing in its place', '{}'],
    ['a text', '{"amount":{"value":"5"}}'],
    ['a negative number', '{"amount":{"value":-1}}'],
    ['a number too large to be finite', '{"amount":{"value":1e999}}'],
    ['a list instead', '{"amount":[]}'],
  ])('refuses a call that should say what it spends and has %s', (_, text) => {
    expect(() => plan({ limits: [budget], arguments: text })).toThrow(
      expect.objectContaining({ code: 'spend_amount_missing' }),
    );
  });

  test('does not take the length of a list for an amount, as policy does not', () => {
    expect(spendMicros('{"items":[{"price":5}]}', '/items/0/price')).toBe(5_000_000);
    expect(() => spendMicros('{"items":[{"price":5}]}', '/items/length')).toThrow(
      expect.objectContaining({ code: 'spend_amount_missing', pointer: '/items/length' }),
    );
  });

  test('[P-statements-exact-call] is not done for other arguments than those that were decided', () => {
    const keys = createTestKeys();
    const call = makeCall({ ...identity, tool, args: payment, nowMs: NOW_MS });
    const event = makeDecided(call, keys.signingKeyOf('decider'));
    const other = { ...event, call: { ...call, arguments: '{"amount":{"value":0}}' } };
    expect(() => verifyDecision(other, 'allow', keys.keyring, NOW_MS)).toThrow('statement_invalid');
  });

  test('leaves out limits that do not match', () => {
    const others = [{ tenant: 'x' }, { agent: 'x' }, { user: 'x' }, { tool: 'x' }].map((match, index) =>
      limit({ name: `other-${index}`, match }),
    );
    expect(plan({ limits: others }).charges).toEqual([]);
  });

  test('counts an agent within its tenant, and separately only by what the limit says', () => {
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

  test('[P-limits-day] counts a configured budget by the day of its time zone, and says so where it has not enough', () => {
    const [charge] = plan({
      limits: [limit({ name: 'daily', per: ['agent'], spend: { amount: 10, day: 'America/New_York' } })],
    }).charges;
    expect(charge).toMatchObject({
      key: 'il:{limits}:spend:daily:tenant=t.agent=a',
      day: 'America/New_York',
    });
    if (charge === undefined) return;
    expect(() => concludeCharges([charge], { kind: 'refused', index: 0, waitMs: 1 })).toThrow(
      expect.objectContaining({ detail: expect.stringContaining('for this day (America/New_York)') }),
    );
  });

  test('holds slots until the last instant and the longest claim have passed', () => {
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
    // As JSON, a member without a value is not there.
    const obligations = more.map((one) => ({
      name: 'limit',
      parameters: JSON.parse(JSON.stringify({ ...parameters, ...one })),
    }));
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
    ['a day of no time zone', { windowMs: undefined, day: 'Europe/Bern' }],
    ['a day of an offset', { windowMs: undefined, day: '+01:00' }],
    ['a day and a length', { day: 'Europe/Berlin' }],
    ['neither a day nor a length', { windowMs: undefined }],
    ['a name that is none', { limit: 'a:b.c' }],
    ['a member nobody knows', { burst: 5 }],
  ])('refuses the call for a limit with %s', (_, wrong) => {
    expect(() => obliged(wrong)).toThrow('obligation_unknown');
  });

  test('refuses an amount that no budget holds', () => {
    expect(() => obliged({ amount: 1e300 })).toThrow('spend_limited');
    expect(() => obliged({ amount: 8e9 }, { amount: 7e9 })).toThrow('spend_limited');
  });

  test('is charged to a counter of its own, beside what is configured', () => {
    const obligations = [{ name: 'announce' }, { name: 'approval' }, { name: 'limit', parameters }];
    const budget = limit({ name: 'of_a_task', per: ['session'], spend: { amount: 10, windowMs: 1_000 } });
    const { charges } = plan({ limits: [budget], statement: { obligations } });
    expect(charges.map(({ key }) => key)).toEqual([
      'il:{limits}:spend:of_a_task:tenant=t.session=s',
      'il:{limits}:policy-spend:of_a_task.86400000:tenant=t.session=s',
    ]);
    expect(charges[1]).toMatchObject({ amountMicros: 90_000_000, budgetMicros: 500_000_000 });
  });

  test('[P-limits-day] is for a day of the calendar where it names a time zone, with a counter for each zone', () => {
    const daily = (day: string) => ({ windowMs: undefined, day });
    const charges = obliged(daily('Europe/Berlin'), daily('Asia/Tokyo'), {});
    expect(charges.map(({ key }) => key)).toEqual([
      'il:{limits}:policy-spend:of_a_task.Europe/Berlin:tenant=t.session=s',
      'il:{limits}:policy-spend:of_a_task.Asia/Tokyo:tenant=t.session=s',
      'il:{limits}:policy-spend:of_a_task.86400000:tenant=t.session=s',
    ]);
    // NOW_MS is 08:00 UTC on the 15th of January 2027: nine o'clock in Berlin, five in the afternoon in Tokyo.
    const starts = charges.map((charge) =>
      'days' in charge ? new Date(charge.days[1] ?? 0).toISOString() : '',
    );
    expect(starts).toEqual(['2027-01-14T23:00:00.000Z', '2027-01-14T15:00:00.000Z', '']);
  });

  test('is charged once where two obligations name one counter: all of it, to the smallest budget', () => {
    expect(obliged({}, { amount: 10, budget: 100 })).toMatchObject([
      { amountMicros: 100_000_000, budgetMicros: 100_000_000 },
    ]);
    expect(obliged({}, { windowMs: 1_000 }, { kind: 'volume' }, { per: ['agent'] })).toHaveLength(4);
  });
});

describe('the answer of Redis', () => {
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
      expect(() => concludeCharges([charge, over], { kind: 'refused', index: 1, waitMs: 700 })).toThrow(
        expect.objectContaining({
          code,
          rule: 'limits/l',
          retryAfterMs: 700,
          detail: expect.stringContaining('Limit l'),
        }),
      );
    },
  );

  test('[P-limits-never-forget] says in a refusal that counters were lost, and when', () => {
    const refused = { kind: 'refused', index: 0, waitMs: 1, lostAtMs: Date.UTC(2026, 0, 1) } as const;
    expect(() => concludeCharges([charge], refused)).toThrow(
      expect.objectContaining({
        detail: expect.stringContaining('The counters were lost at 2026-01-01T00:00:00.000Z'),
      }),
    );
  });

  test('returns what was charged and what is left, money in units', () => {
    const money: Charge = {
      limit: 'm',
      key: 'k',
      kind: 'spend',
      amountMicros: 2_500_000,
      budgetMicros: 10_000_000,
      windowMs: 1,
    };
    expect(concludeCharges([charge, money], { kind: 'admitted', left: [4, 7_500_000] })).toEqual([
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
  const call = makeCall({ ...identity, tool, args: payment, nowMs: NOW_MS });
  return planCharges(
    makeDecision(call, set.statement),
    { arguments: set.arguments ?? call.arguments },
    facts({ limits: { limits: set.limits ?? [] }, ...set.facts }),
    NOW_MS,
  );
}

function facts(set: Partial<AdmitFacts>): AdmitFacts {
  return {
    limits: { limits: [] },
    tool,
    blocked: undefined,
    ...set,
  };
}

function limit(set: Partial<Limit> & { name: string }): Limit {
  const rate = set.spend === undefined ? { rate: { calls: 1, windowMs: 1_000 } } : {};
  return limitSchema.parse({ per: ['tenant'], ...rate, ...set });
}
