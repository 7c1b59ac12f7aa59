import {
  type EventBody,
  evidenceSchema,
  Fault,
  type HeldCall,
  sealContext,
  sha256,
} from '@interlock/contracts';
import { unseal } from '@interlock/keys';
import { type HeldPolicy, openBundle } from '@interlock/policy';
import { buildPolicy, createTestKeys } from '@interlock/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import { callOf, deskOf, nowMs, requested, resolved, resolvedEvent, toolOf } from './house.fixture.ts';
import type { Use } from './session.ts';
import { type Desk, decideAgain, decideRequested } from './steps.ts';

const house = createTestKeys();
const read = toolOf('read_order', { labels: ['reads-private'] });
const remove = toolOf('delete_order', { labels: ['destructive'] });
let policy: HeldPolicy;

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
  const opened = unseal(body.evidence, house.keysOf('auditor').seal, sealContext('evidence', body.call));
  return evidenceSchema.parse(JSON.parse(opened.toString('utf8')));
}

async function hold(): Promise<HeldCall> {
  const next = await decideRequested(deskOf(house, remove, policy), requested(callOf(remove)));
  if (next.step !== 'held') throw new Error(`expected the call to be held, it is ${next.step}`);
  const { call, decision, statement } = next.body;
  return { call, decision, statement, heldSequence: 7 };
}

describe('what a session remembers', () => {
  test('[P-session-memory] is written before a call goes on, and not for one that does not', async () => {
    const uses: Use[] = [];
    const desk = deskOf(house, read, policy);
    const sessions = { ...desk.sessions, use: async (_: object, use: Use) => void uses.push(use) };
    await decideRequested({ ...desk, sessions }, requested(callOf(read)));
    expect(uses).toEqual([{ tool: 'read_order', destinations: ['https://api.example.com'] }]);
    for (const tool of [remove, toolOf('wipe')])
      await decideRequested({ ...deskOf(house, tool, policy), sessions }, requested(callOf(tool)));
    expect(uses).toHaveLength(1);
  });

  test('[P-unsure-means-no] must be written: while its store is away nothing goes on', async () => {
    const desk = deskOf(house, read, policy);
    const away = () => Promise.reject(new Fault('dependency_unavailable'));
    for (const sessions of [
      { ...desk.sessions, of: away },
      { ...desk.sessions, use: away },
    ])
      await expect(decideRequested({ ...desk, sessions }, requested(callOf(read)))).rejects.toMatchObject({
        code: 'dependency_unavailable',
        retryable: true,
      });
  });
});

test('[P-session-memory] denied is remembered before the refusal, with the very arguments; expired is not', async () => {
  const held = await hold();
  const told: object[] = [];
  const desk = deskOf(house, remove, policy);
  const sessions = { ...desk.sessions, deny: async (_: object, denial: object) => void told.push(denial) };
  for (const resolution of ['expired', 'denied'] as const)
    await decideAgain({ ...desk, sessions }, resolved(resolvedEvent(house, held, { resolution })));
  const { argumentsDigest } = held.call;
  expect(told).toEqual([{ at: nowMs - 1_000, tool: 'delete_order', argumentsDigest }]);
  const away = { ...desk.sessions, deny: () => Promise.reject(new Fault('dependency_unavailable')) };
  const again = decideAgain(
    { ...desk, sessions: away },
    resolved(resolvedEvent(house, held, { resolution: 'denied' })),
  );
  await expect(again).rejects.toMatchObject({ retryable: true });
});

test('[P-emergency] policy sees an emergency while it holds, and what it decides under one is announced', async () => {
  const told: string[] = [];
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
    const desk: Desk = {
      ...deskOf(house, tool, policy),
      emergencyOf: () => emergency,
      announce: ({ id }, { call }, step) => void told.push(`${id} ${call} ${step}`),
    };
    const next = await decideRequested(desk, requested(callOf(tool)));
    if (tool === wipe) expect(next).toMatchObject({ step: 'refused', body: { code: 'policy_denied' } });
    if (next.step === 'refused')
      expect(evidenceOf(next.body).decision?.facts).toMatchObject({ emergency: { id: 'emg_1', by: 'otto' } });
  }
  expect(told).toHaveLength(2);
  expect(told[1]).toBe('emg_1 call_1 refused');
});
