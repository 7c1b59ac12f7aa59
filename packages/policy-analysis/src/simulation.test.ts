import {
  type CallLabelEntry,
  Fault,
  type PolicyAnswer,
  type PolicyInput,
  parsedJsonSchema,
  policyInputSchema,
  type RecordedCall,
} from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Evaluator } from './outcomes.ts';
import { createSimulation, type SimulationOptions, type SimulationReport } from './simulation.ts';

const factsSchema = z.record(z.string(), parsedJsonSchema);
const DIGEST = 'd'.repeat(64);
const AT = Date.UTC(2026, 0, 31);

const allowAll: Evaluator = { evaluate: () => answer('allow', 'allow_listed') };
const denyAll: Evaluator = { evaluate: () => answer('deny', 'strict') };
const asking: Evaluator = {
  evaluate: (input) => ('approval' in input ? answer('allow', 'allow_listed') : answer('ask', 'careful')),
};
const silent: Evaluator = {
  evaluate: () => {
    throw new Fault('policy_error');
  },
};

function answer(verdict: PolicyAnswer['verdict'], rule: string): PolicyAnswer {
  return { verdict, reasons: [{ rule, text: 'So.' }], obligations: [], notes: [] };
}

interface Made {
  call?: string;
  verdict?: PolicyAnswer['verdict'];
  approved?: boolean;
  facts?: Partial<RecordedCall['decision']['facts']>;
}

function recorded({
  call = 'call_1',
  verdict = 'allow',
  approved = false,
  facts = {},
}: Made = {}): RecordedCall {
  const input: PolicyInput = policyInputSchema.parse({
    subject: { agent: 'clerk', user: 'ada', tenant: 'acme', roles: [], proof: 'api_key' },
    action: { name: 'execute_tool' },
    tool: { name: 'pay', version: DIGEST, labels: [], firstUse: false },
    arguments: {},
    facts: {},
    session: { id: 'ses_1', labels: [], openedAt: AT },
    history: { denied: [] },
    context: {
      time: new Date(AT).toISOString(),
      epochMs: AT,
      local: {},
      door: 'executor',
      environment: 'test',
    },
    ...(approved ? { approval: { person: 'bob', resolvedAt: AT } } : {}),
  });
  const { arguments: _, ...seen } = input;
  return {
    tenant: 'acme',
    call,
    agent: 'clerk',
    tool: 'pay',
    at: AT,
    step: 'started',
    decision: {
      ...answer(verdict, 'allow_listed'),
      policyDigest: DIGEST,
      policyVersion: 1,
      facts: factsSchema.parse({ ...seen, ...facts }),
      decidedAt: AT,
    },
    arguments: '{}',
  };
}

function simulated(
  calls: RecordedCall[],
  options: Partial<SimulationOptions> & { candidate: Evaluator },
): SimulationReport {
  const simulation = createSimulation({ labels: [], examples: 2, ...options });
  for (const call of calls) simulation.add(call);
  return simulation.report({ calls: calls.length, unreadable: 0 });
}

function label(call: string, value: 'good' | 'bad'): CallLabelEntry {
  return { tenant: 'acme', call, label: value, by: 'olga', at: AT };
}

describe('a simulation', () => {
  test('counts every call that it cannot replay, with the reason', () => {
    const older = recorded({ call: 'call_old', facts: { subject: { agent: 'clerk' } } });
    const simulation = createSimulation({ candidate: allowAll, labels: [], examples: 2 });
    for (const call of [older, { ...recorded(), arguments: '[]' }, recorded()]) simulation.add(call);
    const { calls, unreadable } = simulation.report({ calls: 3, unreadable: 4 });
    expect(calls).toBe(1);
    expect(unreadable.calls).toBe(6);
    expect(unreadable.reasons).toEqual(
      expect.arrayContaining([
        { why: expect.stringMatching(/^\/subject\//), calls: 1, example: 'call_old' },
        { why: 'the auditor could not read them', calls: 4 },
      ]),
    );
  });

  test('treats a candidate without an answer as one that allows nothing', () => {
    expect(simulated([recorded()], { candidate: silent })).toMatchObject({
      changed: 1,
      narrower: 1,
      candidate: { error: 1 },
      changes: [{ from: 'allow', to: 'error' }],
    });
    expect(simulated([recorded({ verdict: 'deny' })], { candidate: silent })).toMatchObject({
      changed: 1,
      wider: 0,
      narrower: 0,
    });
  });

  test('counts a call that is still held as an ask, with the rules that asked', () => {
    const held: RecordedCall = { ...recorded({ verdict: 'ask' }), step: 'asked' };
    expect(simulated([held, recorded()], { candidate: denyAll })).toMatchObject({
      calls: 2,
      held: 1,
      base: { ask: 1, allow: 1 },
      changes: expect.arrayContaining([expect.objectContaining({ from: 'ask', to: 'deny' })]),
    });
  });

  test('counts a call that a person approved as an ask, and evaluates the candidate without the approval', () => {
    const approved = recorded({ approved: true });
    expect(simulated([approved], { candidate: asking })).toMatchObject({ changed: 0, base: { ask: 1 } });
    expect(simulated([approved], { candidate: allowAll })).toMatchObject({
      wider: 1,
      changes: [{ from: 'ask', to: 'allow', rulesBefore: [], rulesNow: ['allow_listed'] }],
    });
  });

  test('groups changes by tool and rules, largest first, with the wanted number of examples', () => {
    const calls = ['call_1', 'call_2', 'call_3'].map((call) => recorded({ call }));
    const asked = recorded({ call: 'call_4', verdict: 'ask' });
    expect(simulated([asked, ...calls], { candidate: denyAll }).changes).toEqual([
      {
        ...{ tool: 'pay', from: 'allow', to: 'deny', move: 'narrower', calls: 3 },
        ...{ rulesBefore: ['allow_listed'], rulesNow: ['strict'] },
        examples: ['call_1', 'call_2'].map((call) => ({ tenant: 'acme', call, agent: 'clerk', at: AT })),
      },
      expect.objectContaining({ from: 'ask', to: 'deny', calls: 1 }),
    ]);
  });

  test('reports false allows and false denials of base and candidate; an ask is not an allow', () => {
    const calls = ['bad_1', 'bad_2', 'good_1'].map((call) => recorded({ call }));
    const labels = [
      label('bad_1', 'bad'),
      label('bad_2', 'bad'),
      label('good_1', 'good'),
      label('elsewhere', 'good'),
    ];
    const base = { judged: 3, agree: 1, falseAllows: 2, falseDenials: { denied: 0, asked: 0 } };
    expect(simulated(calls, { candidate: asking, labels }).labels).toEqual({
      base,
      candidate: { judged: 3, agree: 2, falseAllows: 0, falseDenials: { denied: 0, asked: 1 } },
      missing: 1,
      falselyAllowed: [],
    });
    expect(simulated(calls, { candidate: denyAll, labels }).labels?.candidate.falseDenials).toEqual({
      denied: 1,
      asked: 0,
    });
    expect(simulated(calls, { candidate: allowAll, labels }).labels?.falselyAllowed).toHaveLength(2);
  });

  test('reports calls that the base decides otherwise today than it did then', () => {
    const calls = [recorded({ approved: true }), recorded({ call: 'call_2', verdict: 'deny' })];
    const base = { ...asking, digest: DIGEST };
    expect(simulated(calls, { candidate: asking, base }).repeated).toMatchObject({
      calls: 2,
      different: 1,
      differing: [{ call: 'call_2' }],
    });
    const other = { ...asking, digest: 'e'.repeat(64) };
    expect(simulated(calls, { candidate: asking, base: other }).repeated).toMatchObject({ calls: 0 });
  });
});
