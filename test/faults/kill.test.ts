import { type ServiceName, services } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Line, startLine } from '../line.ts';
import { effectsOf, expectIntactAudit, expectInvariants } from './invariants.ts';
import { Journal } from './journal.ts';
import { fillLine, type LastPaused, openStage, type Stage, stagedTools } from './stages.ts';

const START_MS = 100_000;
/** Filling the line, and a process that is started again on whatever machine this is. */
const WAVE_MS = 60_000;
/** A call's limit, a claim's, and another try. */
const END_MS = 120_000;

let line: Line;
let stage: Stage;
beforeAll(async () => {
  line = await startLine({ tools: stagedTools });
  stage = await openStage(line);
}, START_MS);
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  await line?.[Symbol.asyncDispose]();
}, START_MS);

/** Everybody is killed with a call between each two steps; who answers questions, in either order of pausing. */
const waves = services.flatMap((victim) => lastPaused(victim).map((last) => ({ victim, last })));

function lastPaused(victim: ServiceName): LastPaused[] {
  if (victim === 'decider' || victim === 'approver') return ['decider', 'approver'];
  return victim === 'console' ? ['approver'] : ['decider'];
}

const ended = new Map<string, { journal: Journal; known: Promise<unknown> }>();

describe('while a call stands between each two steps', () => {
  test.each(waves)(
    '$victim is killed and restarted, with $last paused last',
    async ({ victim, last }) => {
      const journal = new Journal(line);
      const { answered } = await fillLine(line, stage, journal, last);
      line.interlock.signal(victim, 'SIGKILL');
      stage.resumeAll();
      await line.interlock.ready();
      const known = journal.untilAllKnown();
      ended.set(`${victim} ${last}`, { journal, known });
      await answered;
      // The next wave would pause whoever could do a second time what the killed one had begun.
      if (victim === 'executor') await known;
    },
    WAVE_MS,
  );
});

describe('[P-survives-sigkill] [P-effect-at-most-once] [P-ledger-claim-first] [P-outcome-never-lost]', () => {
  test.each(waves)(
    'with $victim killed ($last paused last), each call has one effect or none, and an outcome',
    async ({ victim, last }) => {
      const wave = ended.get(`${victim} ${last}`);
      if (wave === undefined) throw new Error('This service was not killed.');
      await wave.known;
      expect(wave.journal.wishes.length).toBeGreaterThanOrEqual(10);
      await expectInvariants(line, wave.journal);
    },
    END_MS,
  );

  test(
    'an ingress that dies between the outcome and its answer gives the same outcome when it is asked again',
    async () => {
      const journal = new Journal(line);
      const wish = journal.send('slow');
      await eventually(() => effectsOf(line, wish).length > 0);
      stage.pause('ingress');
      await stage.until(wish, 'settled');
      line.interlock.signal('ingress', 'SIGKILL');
      stage.resumeAll();
      expect(await wish.first).toBeUndefined();
      expect((await journal.untilKnown(wish))?.body).toMatchObject({ outcome: 'succeeded', replayed: true });
      await expectInvariants(line, journal);
    },
    END_MS,
  );

  test('and the audit is intact', () => expectIntactAudit(line), END_MS);
});
