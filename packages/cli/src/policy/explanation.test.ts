import {
  type AuditRecord,
  canonicalJson,
  type DecisionRecord,
  type Json,
  parsedJsonSchema,
  policyInputSchema,
  sha256,
} from '@interlock/contracts';
import { buildBundle, localTimes, policyWith } from '@interlock/policy';
import {
  auditedCallOf,
  BASE_POLICIES,
  type ExplainablePolicy,
  type Explanation,
  explain,
  explainCall,
  opaProgram,
  type RecordedDecision,
} from '@interlock/policy-analysis';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { explanationText } from './explanation-text.ts';

const BUILD_MS = 60_000;
const DIGEST = 'd'.repeat(64);
/** A Wednesday, ten o'clock in London. */
const AT = Date.UTC(2026, 0, 14, 10);

let bundle: Uint8Array;
beforeAll(async () => {
  const { signal } = new AbortController();
  bundle = await buildBundle({ opaBin: opaProgram(), folders: [BASE_POLICIES], signal });
}, BUILD_MS);

const GRANTED = { allow_listed: [{ agents: ['clerk'], tools: ['*'] }] };

/** The shipped rules with data of a configuration. */
function policyOf(config: object): ExplainablePolicy {
  const data = { config: z.record(z.string(), z.unknown()).parse(config) };
  const policy = policyWith(bundle, () => data);
  return {
    evaluate: (input) => policy.evaluate(input),
    explain: (input) => policy.explain(input),
    data,
    with: (change) => policyWith(bundle, () => change(data)),
  };
}

interface Given {
  tool?: string;
  labels?: string[];
  arguments?: Record<string, Json>;
  more?: object;
}

/** A decision as the decider records it: what policy saw, and what it said of that. */
function decided(policy: ExplainablePolicy, given: Given): RecordedDecision & { decision: DecisionRecord } {
  const { tool = 'act', labels = [], arguments: own = {}, more = {} } = given;
  const input = policyInputSchema.parse({
    subject: { agent: 'clerk', user: 'ada', tenant: 'acme', roles: [], proof: 'api_key' },
    action: { name: 'execute_tool' },
    tool: { name: tool, version: sha256(tool), labels, firstUse: false },
    arguments: own,
    facts: {},
    session: { id: 's', labels: [], openedAt: AT },
    history: { denied: [] },
    context: {
      time: new Date(AT).toISOString(),
      epochMs: AT,
      local: localTimes(['Europe/London'], AT),
      door: 'executor',
      environment: 'local',
    },
    ...more,
  });
  const { arguments: _, ...facts } = input;
  const decision = {
    ...policy.evaluate(input),
    policyDigest: DIGEST,
    policyVersion: 3,
    facts: z.record(z.string(), parsedJsonSchema).parse(facts),
    decidedAt: AT + (input.approval === undefined ? 0 : 1_000),
  };
  return { decision, arguments: canonicalJson(own) };
}

function explained(policy: ExplainablePolicy, given: Given): Explanation {
  const explanation = explain(decided(policy, given), policy);
  if (explanation.kind !== 'whole') throw new Error(explanation.why);
  return explanation;
}

function factsOf({ rules }: Explanation, rule: string): string[] {
  const own = rules.find((one) => one.rule === rule)?.facts ?? [];
  return own.map(({ at, value }) => `${at} = ${JSON.stringify(value)}`);
}

describe('[P-policy-explain] why a call was decided as it was', () => {
  test('denied by two rules: what each said on which facts, and that no single change suffices', () => {
    const policy = policyOf({
      ...GRANTED,
      blocked_tools: [{ tools: ['act'] }],
      amount_cap: [{ tools: ['act'], deny_above: 100 }],
    });
    const two = explained(policy, { arguments: { amount: 250 }, more: { spends: 250 } });
    expect(two.outputs.deny.map(({ rule }) => rule)).toEqual(['amount_cap', 'blocked_tools']);
    expect(factsOf(two, 'amount_cap')).toEqual(['tool.name = "act"', 'arguments./amount = 250']);
    expect(factsOf(two, 'blocked_tools')).toEqual(['tool.name = "act"']);
    expect(two.counterfactuals).toEqual([]);
  });

  test('denied because SQL could not be read: the argument it stands in, and that reading it is what is missing', () => {
    const policy = policyOf(GRANTED);
    const denied = explained(policy, {
      tool: 'query',
      arguments: { sql: 'select from from' },
      more: { facts: { sql: [{ at: '/sql', readable: false }] } },
    });
    expect(denied.outputs.deny).toMatchObject([{ rule: 'sql_arguments' }]);
    expect(denied.rules.find(({ rule }) => rule === 'sql_arguments')?.facts).toEqual([
      { at: 'facts.sql[0].readable', value: false, of: 'arguments./sql' },
    ]);
  });

  test('denied because no rule allows it: the narrowest grant, tried on the call', () => {
    const policy = policyOf({ allow_listed: [{ agents: ['other'], tools: ['act'] }] });
    const { grant, counterfactuals } = explained(policy, { arguments: { payee: 'ACME' } });
    expect(grant).toMatchObject({
      outcome: 'allow',
      grant: { tenants: ['acme'], agents: ['clerk'], tools: ['act'] },
      free: [],
    });
    // An emergency lifts a default denial; another agent would be another call.
    expect(counterfactuals).toEqual([{ kind: 'emergency', given: true, verdict: 'allow' }]);
    expect(explained(policy, { labels: ['destructive'] }).grant).toMatchObject({ outcome: 'ask' });
  });

  test('asked about because it destroys: the label, and the approval or its absence that lets it through', () => {
    const policy = policyOf(GRANTED);
    const asked = explained(policy, { labels: ['writes', 'destructive'] });
    expect(factsOf(asked, 'destructive_asks')).toEqual(['tool.labels[1] = "destructive"']);
    expect(factsOf(asked, 'allow_listed')).toEqual(['subject.agent = "clerk"']);
    expect(asked.counterfactuals).toEqual([
      { kind: 'approval', given: true, verdict: 'allow' },
      { kind: 'emergency', given: true, verdict: 'allow' },
      { kind: 'gone', at: 'tool.labels[1]', value: 'destructive', verdict: 'allow' },
    ]);
    expect(asked.repeated).toEqual({ same: true });
  });

  test('the bounds of an amount where the verdict flips, in both directions, whole and broken', () => {
    const policy = policyOf({
      ...GRANTED,
      amount_cap: [{ tools: ['act'], ask_above: 100, deny_above: 1_000 }],
    });
    const bounds = (amount: number) =>
      explained(policy, { arguments: { amount }, more: { spends: amount } })
        .counterfactuals.filter((change) => change.kind === 'number')
        .map(({ bound, to, verdict }) => `${bound} ${to}: ${verdict}`);
    expect(bounds(250)).toEqual(['at most 100: allow', 'more than 1000: deny']);
    expect(bounds(250.5)).toEqual(['at most 100: allow', 'more than 1000: deny']);
    expect(bounds(7)).toEqual(['more than 100: ask', 'more than 1000: deny']);
    expect(bounds(5_000)).toEqual(['at most 1000: ask', 'at most 100: allow']);
  });

  test('a recipient that would be known, and the minute from which the hour would be right', () => {
    const policy = policyOf({
      ...GRANTED,
      zones: ['Europe/London'],
      sends_external_asks: { domains: ['example.com'] },
      hours: [
        { tools: ['close'], zone: 'Europe/London', open: [{ weekdays: [5], from: '08:30', to: '18:00' }] },
      ],
    });
    const to = {
      at: '/to',
      readable: true,
      address: 'eve@evil.example',
      local: 'eve',
      domain: 'evil.example',
    };
    const mail = explained(policy, {
      labels: ['sends-external'],
      arguments: { to: 'eve@evil.example' },
      more: { facts: { recipients: [to] } },
    });
    expect(mail.counterfactuals).toContainEqual({
      kind: 'value',
      at: 'facts.recipients[0].domain',
      value: 'evil.example',
      of: 'arguments./to',
      to: ['example.com'],
      verdict: 'allow',
    });
    const closed = explained(policy, { tool: 'close' });
    expect(factsOf(closed, 'hours')).toEqual([
      'tool.name = "close"',
      'context.time = "2026-01-14T10:00:00.000Z"',
    ]);
    expect(closed.counterfactuals).toEqual([
      {
        kind: 'time',
        from: '2026-01-16T08:30:00.000Z',
        local: { 'Europe/London': '2026-01-16 08:30' },
        verdict: 'allow',
      },
    ]);
  });

  test('a policy that says something else of the same input today, and a record that is no input any more', () => {
    const before = decided(policyOf(GRANTED), {});
    expect(explain(before, policyOf({}))).toMatchObject({
      repeated: { same: false, now: { verdict: 'deny' } },
    });
    const strange = { ...before, decision: { ...before.decision, facts: {} } };
    expect(explain(strange, policyOf(GRANTED))).toMatchObject({ kind: 'record-only' });
  });

  test('no more questions than are allowed are asked, and the rest are counted', () => {
    const policy = policyOf(GRANTED);
    const list = Array.from({ length: 500 }, (_, index) => `value ${index}`);
    const asked = explain(decided(policy, { labels: ['destructive'], arguments: { list } }), policy, 100);
    expect(asked).toMatchObject({ kind: 'whole', questions: { asked: 200 } });
    expect(asked).not.toMatchObject({ questions: { unasked: 0 } });
  });
});

/** A record as the audit shows it. */
function record(
  step: string,
  event: Record<string, Json>,
  decided?: RecordedDecision,
  tenant = 'acme',
): AuditRecord {
  const named = { tenant, agent: 'clerk', call: 'call_1', tool: 'act' };
  const evidence = decided && {
    call: { ...named, arguments: decided.arguments },
    decision: decided.decision,
  };
  const head = { stream: 'LEDGER', sequence: 1, step, ...named, at: AT, event, hash: DIGEST } as const;
  return { ...head, ...(evidence === undefined ? {} : { evidence }) };
}

function textOf(records: AuditRecord[], policy?: ExplainablePolicy): string {
  const found =
    policy === undefined ? { unavailable: 'It is gone.' } : { policy, signature: 'verified' as const };
  return explanationText(
    explainCall(auditedCallOf('call_1', records, undefined), new Map([[DIGEST, found]])),
  );
}

describe('[P-policy-explain] the explanation of a call', () => {
  test('is refused for an unknown call, and for a call id that two tenants have', () => {
    const refused = { by: 'limiter', code: 'rate_limited', detail: 'Too many.' };
    const two = [record('refused', refused), record('refused', refused, undefined, 'rival')];
    expect(() => auditedCallOf('call_1', [], undefined)).toThrow('call_unknown');
    expect(() => auditedCallOf('call_1', two, 'nobody')).toThrow('call_unknown');
    expect(() => auditedCallOf('call_1', two, undefined)).toThrow('call_ambiguous');
    expect(auditedCallOf('call_1', two, 'rival')).toMatchObject({ tenant: 'rival' });
  });

  test('says who refused a call that policy never saw, or that it had allowed', () => {
    const invalid = { by: 'ingress', code: 'arguments_invalid', detail: 'No amount.' };
    expect(textOf([record('refused', invalid)])).toContain('The ingress refused it; policy did not.');
    expect(textOf([record('refused', invalid)])).toContain('it was refused before policy was evaluated');
    const policy = policyOf(GRANTED);
    const limited = { by: 'limiter', code: 'rate_limited', detail: 'Too many calls.' };
    const text = textOf([record('refused', limited, decided(policy, {}))], policy);
    expect(text).toContain('The limiter refused it; policy did not.');
    expect(text).toContain('DECISION  allow, by policy version 3');
  });

  test('shows the recorded decision alone when the policy is no longer kept', () => {
    const denied = decided(policyOf({ ...GRANTED, blocked_tools: [{ tools: ['act'] }] }), {});
    const text = textOf([record('refused', { by: 'decider', code: 'policy_denied', detail: 'No.' }, denied)]);
    expect(text).toContain('It is gone.\nOnly what the record itself says is shown.');
    expect(text).toMatch(/because\s+blocked_tools/);
    expect(text).not.toContain('Changes that lead');
  });

  test('has no line that an agent wrote', () => {
    const policy = policyOf({});
    const name = 'x\nDECISION  allow';
    const refused = { by: 'decider', code: 'policy_default', detail: 'No.\nIt was carried out.' };
    const text = textOf(
      [record('refused', refused, decided(policy, { arguments: { [name]: name } }))],
      policy,
    );
    expect(text).not.toMatch(/^\s*(DECISION {2}allow|It was carried out)/m);
  });

  test('shows both decisions of an approved call, also when only the second one is recorded', () => {
    const policy = policyOf(GRANTED);
    const given = { labels: ['destructive'] };
    const first = decided(policy, given);
    const approval = { person: 'grace', resolvedAt: AT + 500 };
    const second = decided(policy, { ...given, more: { approval } });
    const started = [record('started', {}, second), record('settled', { outcome: 'succeeded' })];
    const whole = auditedCallOf('call_1', [record('asked', {}, first), ...started], undefined);
    expect(whole).toMatchObject({
      ending: { kind: 'carried-out', outcome: 'succeeded' },
      decisions: [{ decision: { verdict: 'ask' } }, { decision: { verdict: 'allow' }, approval }],
    });
    const text = textOf([record('asked', {}, first), ...started], policy);
    expect(text).toContain('DECISION 1 of 2  ask, by policy version 3');
    expect(text).toContain('DECISION 2 of 2  allow, knowing that grace approved');
    expect(text).toMatch(/without the approval\s+-> ask/);
    expect(auditedCallOf('call_1', started, undefined).decisions).toMatchObject([
      { recorded: false, decision: { verdict: 'ask' } },
      { recorded: true, decision: { verdict: 'allow' } },
    ]);
  });

  test('explains what another enforcement point asked', () => {
    const policy = policyOf(GRANTED);
    const text = textOf([record('evaluated', { asker: 'gate' }, decided(policy, {}))], policy);
    expect(text).toContain('gate asked for the decision only; nothing was carried out here.');
    expect(text).toMatch(/allow_listed\s+subject.agent = "clerk"/);
  });
});
