import type { Bus } from '@interlock/bus';
import {
  approvalsEntrySchema,
  newId,
  type PersonEntry,
  type QuestionEntry,
  type Statement,
  sha256,
} from '@interlock/contracts';
import { verifyStatement } from '@interlock/keys';
import { eventually, FakeClock, startTestBus, type TestBus } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, openQuestion } from './ask.ts';
import { heldEvent, keyring, keysOf, NOW_MS } from './held-call.fixture.ts';
import { killableStore } from './killed-process.fixture.ts';
import { CLOSED_KEPT_MS, putAnswer, putQuestion, type QuestionParts, questionKey } from './questions.ts';
import { sealHeldCall } from './seal-call.ts';
import { Shares } from './shares.ts';
import { type Sweep, type SweepOptions, startSweep } from './sweep.ts';

const petra: PersonEntry = { person: 'petra', roles: ['approver'], tokenHash: sha256('token') };
const everybody = (person: string) => (person === 'petra' ? petra : undefined);
const writes = [1, 2, 3].flatMap((write) => (['before', 'after'] as const).map((when) => ({ write, when })));
let testBus: TestBus;
let bus: Bus;

beforeAll(async () => {
  testBus = await startTestBus();
  bus = await testBus.busOf('approver');
});
afterAll(async () => {
  await testBus?.[Symbol.asyncDispose]();
});

describe('a question', () => {
  test('is refused when another call asked under its id', async () => {
    const { parts, entry } = await asked();
    const other = { ...entry, question: { ...entry.question, callDigest: sha256('other') } };
    await expect(putQuestion(parts, other)).rejects.toMatchObject({ code: 'approval_impossible' });
  });

  test('[P-approval-durable] is asked once, as its first record says, however often the call is delivered', async () => {
    const { parts, entry, store } = await asked();
    await putQuestion(parts, { ...entry, question: { ...entry.question, askedAt: NOW_MS + 1 } });
    const { question, questionDigest, sealed } = entry;
    expect(store.published).toEqual([{ step: 'asked', body: { question, questionDigest, sealed } }]);
    expect((await parts.records.get(questionKey(question)))?.value).toEqual(entry);
  });

  test.each(writes.slice(1, 4))(
    '[P-approval-durable] is asked in the end when the approver is killed $when write $write, even if the call is not delivered again',
    async ({ write, when }) => {
      const { parts, entry, store, clock } = unasked();
      void store.killAt(write, when);
      await expect(putQuestion(parts, entry)).rejects.toThrow('killed');
      store.restart();
      await using _ = await sweepOver(parts, entry);
      await clock.advance(5_000);
      await eventually(() => store.published.length === 1);
      expect(store.published.map(({ step }) => step)).toEqual(['asked']);
    },
  );
});

describe('an answer', () => {
  test('to a question nobody asked changes nothing', async () => {
    const { parts, entry, store } = unasked();
    expect(await putAnswer(parts, { answer: answerTo(entry), sentTo: entry.question }, everybody)).toBe(
      'unknown',
    );
    expect(store.published).toEqual([]);
  });

  test('[P-approval-exact-call] made for another call is rejected where it was sent', async () => {
    const { parts, entry, store } = await asked();
    const answer = { ...answerTo(entry), call: newId('call') };
    expect(await putAnswer(parts, { answer, sentTo: entry.question }, everybody)).toBe('rejected');
    expect(store.published.map(({ step }) => step)).toEqual(['asked']);
  });

  test('[P-approval-exact-call] of twenty that race, one is accepted and one resolution published', async () => {
    const { parts, entry, store } = await asked();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => {
        const answer = answerTo(entry, index % 2 === 0 ? 'approve' : 'deny');
        return putAnswer(parts, { answer, sentTo: entry.question }, everybody);
      }),
    );
    expect(outcomes.filter((one) => one.status === 'fulfilled' && one.value === 'accepted')).toHaveLength(1);
    expect(store.published.filter(({ step }) => step === 'resolved')).toHaveLength(1);
  });

  test.each(writes)(
    'resolves the question once, as it was given, when the approver is killed $when write $write',
    async ({ write, when }) => {
      const { parts, entry, store, clock } = await asked();
      const answer = answerTo(entry, 'deny');
      void store.killAt(write, when);
      const counting = putAnswer(parts, { answer, sentTo: entry.question }, everybody);
      await expect(counting).rejects.toThrow('killed');
      store.restart();
      await putAnswer(parts, { answer, sentTo: entry.question }, everybody);
      await using _ = await sweepOver(parts, entry);
      await clock.advance(5_000);
      const key = questionKey(entry.question);
      await eventually(async () => (await parts.records.get(key))?.value.sealed === undefined);
      expect(resolutions(store.published)).toMatchObject([{ resolution: 'denied', person: 'petra' }]);
    },
  );
});

describe('time', () => {
  test('does not resolve a question before its expiry', async () => {
    const { parts, entry, store, clock } = await asked();
    await using _ = await sweepOver(parts, entry);
    await clock.advance(entry.question.expiresAt - NOW_MS - 1);
    expect(await putAnswer(parts, { answer: answerTo(entry), sentTo: entry.question }, everybody)).toBe(
      'accepted',
    );
    expect(resolutions(store.published)).toMatchObject([{ resolution: 'approved' }]);
  });

  test('removes a question some minutes after it was closed, so that closed ones leave room', async () => {
    const { parts, entry, clock } = await asked();
    await putAnswer(parts, { answer: answerTo(entry), sentTo: entry.question }, everybody);
    const key = questionKey(entry.question);
    await using _ = await sweepOf(parts);
    await clock.advance(CLOSED_KEPT_MS - 1);
    expect((await parts.records.get(key))?.value.state).toBe('approved');
    await eventually(async () => {
      await clock.advance(1_000);
      return (await parts.records.get(key)) === undefined;
    });
  });

  test('expires a question once over two replicas, and no later answer counts', async () => {
    const { parts, entry, store, clock } = await asked();
    await using _first = await sweepOver(parts, entry);
    await using _second = await sweepOver(parts, entry);
    await clock.advance(entry.question.expiresAt - NOW_MS);
    await eventually(async () => {
      await clock.advance(1_000);
      return resolutions(store.published).length > 0;
    });
    expect(await putAnswer(parts, { answer: answerTo(entry), sentTo: entry.question }, everybody)).toBe(
      'rejected',
    );
    expect(resolutions(store.published)).toMatchObject([{ resolution: 'expired' }]);
  });

  test('expires a question though the clock was a day ahead when it was handled and could not be stored', async () => {
    const { parts, entry, store, clock } = await asked();
    let aheadMs = 24 * 3_600_000;
    const wall = {
      nowMs: () => clock.nowMs() + aheadMs,
      monotonicMs: () => clock.monotonicMs(),
      sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
    };
    const failed = store.killAt(1, 'before');
    await using _ = await sweepOver({ ...parts, clock: wall }, entry);
    await failed;
    aheadMs = 0;
    store.restart();
    await clock.advance(entry.question.expiresAt - NOW_MS);
    await eventually(async () => {
      await clock.advance(1_000);
      return resolutions(store.published).length > 0;
    });
    expect(resolutions(store.published)).toMatchObject([{ resolution: 'expired' }]);
  });

  test.each(writes)(
    'expires a question though a replica is killed $when write $write of it',
    async ({ write, when }) => {
      const { parts, entry, store, clock } = await asked();
      await clock.advance(entry.question.expiresAt - NOW_MS);
      const killed = store.killAt(write, when);
      await using _ = await sweepOver(parts, entry);
      await killed;
      store.restart();
      const key = questionKey(entry.question);
      await eventually(async () => {
        await clock.advance(1_000);
        return (await parts.records.get(key))?.value.sealed === undefined;
      });
      expect(resolutions(store.published)).toMatchObject([{ resolution: 'expired' }]);
    },
  );
});

function unasked() {
  const clock = new FakeClock(NOW_MS);
  const { event, decision } = heldEvent();
  const question = ask(event, decision, approvalsEntrySchema.parse({}), NOW_MS);
  const entry = openQuestion(question, sealHeldCall(event, 1, keyring, NOW_MS));
  const store = killableStore(bus, questionKey(question));
  const parts = {
    bus: store.bus,
    records: store.records,
    shares: new Shares(),
    keys: keysOf('approver'),
    clock,
  };
  return { parts, entry, store, clock };
}

async function asked() {
  const made = unasked();
  await putQuestion(made.parts, made.entry);
  return made;
}

/** Starts the sweep of one replica, and waits until it knows the question. */
async function sweepOver(
  parts: QuestionParts & Pick<SweepOptions, 'clock'>,
  { question }: QuestionEntry,
): Promise<Sweep> {
  const sweep = await sweepOf(parts);
  await eventually(() => sweep.knows(questionKey(question)));
  return sweep;
}

function sweepOf(parts: QuestionParts & Pick<SweepOptions, 'clock'>): Promise<Sweep> {
  return startSweep({ ...parts, log: { info() {}, warn() {} } });
}

function answerTo(entry: QuestionEntry, verdict: 'approve' | 'deny' = 'approve'): Statement<'answer'> {
  const { tenant, call } = entry.question;
  const { questionDigest } = entry;
  return {
    ...{ type: 'answer', answer: newId('answer'), tenant, call, questionDigest },
    ...{ person: 'petra', verdict, channel: 'cli', issuedAt: NOW_MS },
  };
}

function resolutions(published: { step: string; body: object }[]): Statement<'resolution'>[] {
  return published
    .filter(({ step }) => step === 'resolved')
    .map(({ body }) =>
      verifyStatement(String(Reflect.get(body, 'statement')), 'resolution', keyring, NOW_MS),
    );
}
