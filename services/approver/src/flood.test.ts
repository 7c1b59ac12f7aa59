/** One agent that asks far too much, on a real bus with a real approver. */
import type { Bus } from '@interlock/bus';
import { approvalsEntrySchema, newId, questionEntrySchema } from '@interlock/contracts';
import { eventually, makeCall, makeDecided, startTestBus, type TestBus } from '@interlock/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { approverService } from './main.ts';
import { shares } from './shares.ts';

const ASKED = 200;
const AT_ONCE = 10;
const TEXT = 'x'.repeat(200_000);
const SETTLED_MS = 60_000;
/** Two hundred large events and their refusals, on a busy machine. */
const TEST_MS = 90_000;

let testBus: TestBus;
let ingress: Bus;
let decider: Bus;
let consoleBus: Bus;
beforeAll(async () => {
  testBus = await startTestBus();
  [ingress, decider, consoleBus] = [
    await testBus.busOf('ingress'),
    await testBus.busOf('decider'),
    await testBus.busOf('console'),
  ];
  await consoleBus.entries('settings').put('approvals', approvalsEntrySchema.parse({}));
  await testBus.start([approverService]);
});
afterAll(() => testBus?.[Symbol.asyncDispose]());

/** Holds a call as the decider does, and returns its id. */
async function hold(agent: string, text: string): Promise<string> {
  const call = makeCall({ agent, call: newId('call'), tool: 'pay', args: { text } });
  const requested = await ingress.publish('requested', call, { call }, 0);
  const { sign } = await testBus.keysOf('decider');
  const held = makeDecided(call, sign, { verdict: 'ask' });
  if (requested.stored) await decider.publish('held', call, held, requested.sequence);
  return call.call;
}

test(
  '[P-approval-shares] two hundred large held calls of one agent leave the bucket open for the questions of others, and every call gets its question or its refusal',
  async () => {
    const fates = new Map<string, string>();
    await ingress.onStored('asked', ({ question }) => fates.set(question.call, 'asked'));
    await ingress.onStored('refused', ({ call, code }) => fates.set(call, code));
    for (let asked = 0; asked < ASKED; asked += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, () => hold('greedy', TEXT)));
    await eventually(() => fates.size === ASKED, SETTLED_MS);
    const asked = [...fates.values()].filter((fate) => fate === 'asked');
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.length).toBeLessThanOrEqual(shares.agent.questions);
    expect(new Set(fates.values())).toEqual(new Set(['asked', 'approvals_limited']));
    const modest = await hold('modest', 'please');
    await eventually(() => fates.get(modest) === 'asked');
    const open = await consoleBus.records('questions', questionEntrySchema).list();
    expect(open).toHaveLength(asked.length + 1);
  },
  TEST_MS,
);
