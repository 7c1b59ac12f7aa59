import { eventually } from '@interlock/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Line, startLine } from '../line.ts';
import { expectIntactAudit, expectInvariants, expectRecovered } from './invariants.ts';
import { Journal, type Wish } from './journal.ts';
import { emptyRedis } from './redis.ts';
import { fillLine, openStage, type Stage, stagedTools } from './stages.ts';

const START_MS = 100_000;
/** A call's limit, a claim's, and another try. */
const END_MS = 120_000;

let line: Line;
let stage: Stage;
/** Carried out before any fault, and sent again under its key after each. */
let eldest: { journal: Journal; wish: Wish };
beforeAll(async () => {
  line = await startLine({
    tools: stagedTools,
    // Asks Redis at every call; an emptied bucket is full again after its window.
    limits: [{ name: 'generous', per: ['tenant', 'agent'], rate: { calls: 1_000, windowMs: 1_000 } }],
  });
  stage = await openStage(line);
  const journal = new Journal(line);
  eldest = { journal, wish: journal.send('write') };
  await journal.untilAllKnown();
}, START_MS);
afterEach(() => stage?.resumeAll());
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  await line?.[Symbol.asyncDispose]();
}, START_MS);

async function survives(fault: () => unknown): Promise<Journal> {
  const journal = new Journal(line);
  const { answered } = await fillLine(line, stage, journal, 'decider');
  await fault();
  stage.resumeAll();
  await journal.untilAllKnown();
  await answered;
  await expectInvariants(line, journal);
  await expectStillOnce();
  return journal;
}

/** What an Idempotency-Key named before every fault, it names now: the same outcome, and no second effect. */
async function expectStillOnce(): Promise<void> {
  const again = await eventually(() => eldest.journal.again(eldest.wish));
  expect(again).toMatchObject({ status: 200, body: { outcome: 'succeeded', replayed: true } });
  await expectInvariants(line, eldest.journal);
}

describe('with a call between each two steps', () => {
  test(
    '[P-limits-never-forget] [P-effect-at-most-once] Redis may be emptied: nothing happens twice or without a claim',
    async () => {
      await survives(() => emptyRedis(line));
      await expectRecovered(line);
    },
    END_MS,
  );

  test(
    '[P-effect-at-most-once] [P-outcome-never-lost] [P-idempotency-key] NATS may be killed: what was answered stays true',
    async () => {
      await survives(() => line.interlock.signal('nats-server', 'SIGKILL'));
      await expectRecovered(line);
    },
    END_MS,
  );

  test(
    '[P-line-vanishes] [P-answer-claims-no-more] [P-idempotency-key] the line may be lost: it is created again, and no answer claims too much',
    async () => {
      const journal = await survives(() => stage.observer.loseLine());
      await expectRecovered(line);
      expect(
        journal.wishes.filter(({ answers }) => answers.some(({ status }) => status === 503)),
      ).not.toEqual([]);
    },
    END_MS,
  );
});

describe('[P-auditor-catches-up] an auditor that was paused', () => {
  test(
    'while the line forgot everything records every call, with its arguments',
    async () => {
      stage.pause('auditor');
      const journal = new Journal(line);
      for (const tool of ['write', 'ask', 'idem', 'slow']) journal.send(tool);
      await journal.untilAllKnown();
      await stage.observer.loseLine();
      await eventually(() => stage.observer.hasLine());
      stage.resumeAll();
      await expectInvariants(line, journal);
    },
    END_MS,
  );
});

test('the audit is intact', () => expectIntactAudit(line), END_MS);
