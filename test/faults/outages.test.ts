import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Line, startLine } from '../line.ts';
import { effectsOf, expectIntactAudit, expectInvariants, expectRecovered } from './invariants.ts';
import { Journal } from './journal.ts';
import { stagedTools } from './stages.ts';

const START_MS = 100_000;
/** A call's limit, a claim's, and another try. */
const END_MS = 120_000;
/** What is promised after the return of a dependency. */
const RECOVERED_MS = 10_000;

let line: Line;
beforeAll(async () => {
  line = await startLine({
    tools: stagedTools,
    // Asks Redis at every call; an emptied bucket is full again after its window.
    limits: [{ name: 'generous', per: ['tenant', 'agent'], rate: { calls: 1_000, windowMs: 1_000 } }],
  });
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

describe('[P-recovers] a dependency that returns', () => {
  test.each(['redis-server', 'ferretdb', 'nats-server'])(
    'after it was killed (%s) is used again within ten seconds, without a restart',
    async (server) => {
      const pids = servicePids();
      const before = serverPid(server);
      line.interlock.signal(server, 'SIGKILL');
      await eventually(() => serverPid(server) !== undefined && serverPid(server) !== before);
      await expectRecovered(line);
      await expectAudited();
      expect(servicePids()).toEqual(pids);
    },
    END_MS,
  );

  test.each([
    ['redis-server', 'limiter'],
    ['ferretdb', 'auditor'],
    ['nats-server', 'ingress'],
  ])(
    'after it did not answer for so long that a service was not ready any more (%s, %s) is used again, and what was sent meanwhile is done once or not at all',
    async (server, service) => {
      const journal = new Journal(line);
      line.upstream.behave({ kind: 'delay', delayMs: SLOW_MS }, '/slow');
      const underWay = journal.send('slow');
      await eventually(() => effectsOf(line, underWay).length > 0);
      line.interlock.signal(server, 'SIGSTOP');
      journal.send('write');
      journal.send('write', { keyless: true });
      await eventually(async () => !(await isReady(service)), NOTICED_MS);
      line.interlock.signal(server, 'SIGCONT');
      await expectRecovered(line);
      await eventually(() => isReady(service), RECOVERED_MS);
      await journal.untilAllKnown();
      await expectInvariants(line, journal);
    },
    END_MS,
  );

  test.each([{ kind: 'drop' }, { kind: 'hang' }] as const)(
    'an upstream that does not answer after its effect ($kind) is not asked again',
    async (behaviour) => {
      line.upstream.behave(behaviour, '/write');
      const journal = new Journal(line);
      const answer = await journal.untilKnown(journal.send('write'));
      line.upstream.behave({ kind: 'answer' }, '/write');
      expect(answer?.body.outcome).toBe('unknown');
      await expectInvariants(line, journal);
      await expectRecovered(line);
    },
    END_MS,
  );

  test('leaves the audit intact', () => expectIntactAudit(line), END_MS);
});

/** Answers after the server stopped answering, and before it answers again. */
const SLOW_MS = 1_000;
/** Pings that are not answered, and requests that run into their limit, on a busy machine. */
const NOTICED_MS = 30_000;

async function isReady(service: string): Promise<boolean> {
  const { healthUrl } = line.interlock.services.find(({ name }) => name === service) ?? expect.unreachable();
  return (await fetch(new URL('/readyz', healthUrl))).ok;
}

function servicePids(): number[] {
  return line.interlock.services.map(({ pid }) => pid);
}

function serverPid(server: string): number | undefined {
  return line.interlock.servers.find(({ name }) => name === server)?.pid;
}

/** The audit knows of a call that is made now, within what is promised. */
async function expectAudited(): Promise<void> {
  const { body } = await line.call('write', { text: 'audited' });
  expect(body).toMatchObject({ outcome: 'succeeded' });
  await eventually(async () => {
    const { status, text } = await line.person('alice').get(`/v1/audit/calls/${body.call}`);
    expect({ status, text }).toEqual({ status: 200, text: expect.stringContaining('"settled"') });
    return true;
  }, RECOVERED_MS);
}
