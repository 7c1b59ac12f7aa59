import {
  type EventBody,
  evidenceSchema,
  Fault,
  type HeldCall,
  sealContext,
  sha256,
} from '@interlock/contracts';
import { unseal } from '@interlock/keys';
import { type LoadedPolicy, openBundle } from '@interlock/policy';
import { buildPolicy, createTestKeys } from '@interlock/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import type { DecisionContext } from './context.ts';
import { callOf, contextOf, nowMs, requested, resolved, resolvedEvent, toolOf } from './decision.fixture.ts';
import type { Use } from './session.ts';
import { decideAgain, decideRequested } from './steps.ts';

const keys = createTestKeys();
const read = toolOf('read_order', { labels: ['reads-private'] });
const remove = toolOf('delete_order', { labels: ['destructive'] });
let policy: LoadedPolicy;

beforeAll(async () => {
  const bytes = await buildPolicy({
    data: {
      config: {
        allow_listed: [{ roles: ['support'], tools: ['read_order', 'delete_order', 'wipe'] }],
        blocked_tools: [{ tools: ['wipe'] }],
      },
    },
  });
  policy = openBundle({ version: 1, digest: sha256(bytes), bytes: bytes.byteLength }, bytes);
});

function evidenceOf(body: EventBody<'refused'>) {
  const opened = unseal(body.evidence, keys.keysOf('auditor').seal, sealContext('evidence', body.call));
  return evidenceSchema.parse(JSON.parse(opened.toString('utf8')));
}

async function hold(): Promise<HeldCall> {
  const next = await decideRequested(contextOf(keys, remove, policy), requested(callOf(remove)));
  if (next.step !== 'held') throw new Error(`expected the call to be held, it is ${next.step}`);
  const { call, decision, statement } = next.body;
  return { call, decision, statement, heldSequence: 7 };
}

describe('the memory of a session', () => {
  test('[P-session-memory] is written before a call goes on, and not for a call that does not go on', async () => {
    const uses: Use[] = [];
    const context = contextOf(keys, read, policy);
    const sessions = { ...context.sessions, use: async (_: object, use: Use) => void uses.push(use) };
    await decideRequested({ ...context, sessions }, requested(callOf(read)));
    expect(uses).toEqual([{ tool: 'read_order', destinations: ['https://api.example.com'] }]);
    for (const tool of [remove, toolOf('wipe')])
      await decideRequested({ ...contextOf(keys, tool, policy), sessions }, requested(callOf(tool)));
    expect(uses).toHaveLength(1);
  });

  test('[P-unsure-means-no] must be written: while its store does not answer, no call goes on', async () => {
    const context = contextOf(keys, read, policy);
    const away = () => Promise.reject(new Fault('dependency_unavailable'));
    for (const sessions of [
      { ...context.sessions, of: away },
      { ...context.sessions, use: away },
    ])
      await expect(decideRequested({ ...context, sessions }, requested(callOf(read)))).rejects.toMatchObject({
        code: 'dependency_unavailable',
        retryable: true,
      });
  });
});

test('[P-session-memory] a denial is stored before the refusal, with its exact arguments; an expiry is not stored', async () => {
  const held = await hold();
  const reported: object[] = [];
  const context = contextOf(keys, remove, policy);
  const sessions = {
    ...context.sessions,
    deny: async (_: object, denial: object) => void reported.push(denial),
  };
  for (const resolution of ['expired', 'denied'] as const)
    await decideAgain({ ...context, sessions }, resolved(resolvedEvent(keys, held, { resolution })));
  const { argumentsDigest } = held.call;
  expect(reported).toEqual([{ at: nowMs - 1_000, tool: 'delete_order', argumentsDigest }]);
  const away = { ...context.sessions, deny: () => Promise.reject(new Fault('dependency_unavailable')) };
  const again = decideAgain(
    { ...context, sessions: away },
    resolved(resolvedEvent(keys, held, { resolution: 'denied' })),
  );
  await expect(again).rejects.toMatchObject({ retryable: true });
});

test('[P-emergency] policy sees an emergency while it lasts, and what it decides under one is reported', async () => {
  const reported: string[] = [];
  const emergency = {
    id: 'emg_1',
    tenant: 'acme',
    agent: 'clerk',
    tools: ['*'],
    by: 'otto',
    reason: 'the store is on fire',
    openedAt: nowMs - 1,
    expiresAt: nowMs + 1,
  };
  const wipe = toolOf('wipe');
  for (const tool of [remove, wipe]) {
    const context: DecisionContext = {
      ...contextOf(keys, tool, policy),
      emergencyOf: () => emergency,
      reportEmergency: ({ id }, { call }, step) => void reported.push(`${id} ${call} ${step}`),
    };
    const next = await decideRequested(context, requested(callOf(tool)));
    if (tool === wipe) expect(next).toMatchObject({ step: 'refused', body: { code: 'policy_denied' } });
    if (next.step === 'refused')
      expect(evidenceOf(next.body).decision?.facts).toMatchObject({ emergency: { id: 'emg_1', by: 'otto' } });
  }
  expect(reported).toHaveLength(2);
  expect(reported[1]).toBe('emg_1 call_1 refused');
});
