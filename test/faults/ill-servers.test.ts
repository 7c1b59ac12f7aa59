import { eventually, limitWrites } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Line, startLine } from '../line.ts';
import { expectIntactAudit, expectInvariants, expectRecovered } from './invariants.ts';
import { Journal } from './journal.ts';
import { stagedTools } from './stages.ts';

const START_MS = 100_000;
/** A call's limit, a claim's, and another try. */
const END_MS = 120_000;
/** A server that is silent counts as ill after seconds, and then gets seconds to end. */
const RESTARTED_MS = 60_000;

let line: Line;
beforeAll(async () => {
  line = await startLine({
    tools: stagedTools,
    // Asks Redis at every call; an emptied bucket is full again after its window.
    limits: [{ name: 'generous', per: ['tenant', 'agent'], rate: { calls: 1_000, windowMs: 1_000 } }],
  });
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

describe('[P-up-heals-servers] a server that lives and does not work is started again, and calls go on by themselves', () => {
  test(
    '[P-effect-at-most-once] [P-outcome-never-lost] after the disk of NATS was full',
    async () => {
      const journal = new Journal(line);
      const before = pidOf('nats-server');
      const services = line.interlock.services.map(({ pid }) => pid);
      await limitWrites(before ?? 0, 'nothing');
      for (const tool of ['write', 'write', 'idem']) journal.send(tool);
      journal.send('write', { keyless: true });
      await restarted('nats-server', before);
      await expectRecovered(line);
      await journal.untilAllKnown();
      await expectInvariants(line, journal);
      expect(line.interlock.services.map(({ pid }) => pid)).toEqual(services);
    },
    END_MS,
  );

  test.each(['nats-server', 'redis-server', 'ferretdb'])(
    'when it does not answer any more (%s)',
    async (server) => {
      const before = pidOf(server);
      line.interlock.signal(server, 'SIGSTOP');
      await restarted(server, before);
      await expectRecovered(line);
    },
    END_MS,
  );

  test('and leaves the audit intact', () => expectIntactAudit(line), END_MS);
});

function pidOf(server: string): number | undefined {
  return line.interlock.servers.find(({ name }) => name === server)?.pid;
}

async function restarted(server: string, before: number | undefined): Promise<void> {
  await eventually(() => pidOf(server) !== undefined && pidOf(server) !== before, RESTARTED_MS);
}
