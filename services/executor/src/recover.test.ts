import type { Bus, ClaimNotice } from '@interlock/bus';
import { type Claim, type Evidence, sealContext, type Tool } from '@interlock/contracts';
import { createEgress } from '@interlock/egress';
import { seal } from '@interlock/keys';
import { LocalServers } from '@interlock/sandbox';
import { createLog, processEnvironment, systemClock } from '@interlock/shell';
import {
  caller,
  eventually,
  makeCall,
  makeDecided,
  startTestBus,
  startUpstream,
  type TestBus,
  type Upstream,
} from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cancelled } from './cancelled.ts';
import { checkCall } from './check.ts';
import { claimOf } from './claim.ts';
import { watchEntries } from './entries.ts';
import { createLeaseKey } from './lease.ts';
import { watchLedgerRoom } from './ledger-room.ts';
import { McpPool } from './mcp-pool.ts';
import { Orphans } from './orphans.ts';
import { recover } from './recover.ts';
import { Semaphore } from './semaphore.ts';
import type { Parts } from './task.ts';
import { httpTool } from './tool.fixture.ts';

const stack = new AsyncDisposableStack();
const clock = systemClock;
const log = createLog({
  ...{ level: 'silent', service: 'executor', replica: 'e1' },
  stream: { write: () => {} },
});
let testBus: TestBus;
let upstream: Upstream;
let bus: Bus;
let parts: Parts;

beforeAll(async () => {
  testBus = stack.use(await startTestBus());
  upstream = stack.use(await startUpstream());
  bus = await testBus.busOf('executor');
  const keys = await testBus.keysOf('executor');
  const { keyring } = testBus;
  const egress = stack.use(createEgress());
  const servers = stack.use(
    await LocalServers.open({ env: processEnvironment(), forbidden: [], report: () => undefined }),
  );
  const http = { egress, signingKey: keys.sign, nowMs: () => clock.nowMs() };
  parts = {
    ...{ bus, egress, keys, keyring, clock, log },
    entries: stack.use(await watchEntries(bus)),
    room: stack.use(await watchLedgerRoom(bus, { clock, log })),
    pool: stack.use(
      new McpPool({ ...http, monotonicMs: () => clock.monotonicMs(), servers, commandsFile: undefined }),
    ),
    concurrency: new Semaphore(8),
    cancelled: new Cancelled(),
    orphans: new Orphans(
      () => clock.nowMs(),
      () => Promise.resolve(),
    ),
    executor: 'rescuer',
    signal: new AbortController().signal,
  };
});

afterAll(async () => {
  await parts.concurrency.idle();
  await stack.disposeAsync();
});

/** Claims a call as an executor that ends right after; `broken` leaves a record that nobody can read. */
async function abandon(call: string, more: Parameters<typeof httpTool>[1] = {}, broken = false) {
  const tool: Tool = httpTool(upstream.url, {
    name: `post_${call}`,
    idempotent: true,
    target: { idempotencyHeader: 'Idempotency-Key' },
    ...more,
  });
  await (await testBus.busOf('console')).entries('tools').put(tool.name, tool);
  const nowMs = clock.nowMs();
  const event: Evidence & ReturnType<typeof makeDecided> = makeDecided(
    makeCall({ tool, call, nowMs, args: { blog: 'b1', title: 'Hi' } }),
    (await testBus.keysOf('decider')).sign,
  );
  const facts = {
    ...{ tool, evidence: event, executor: 'gone', route: { replyTo: 'rep_1', keepResult: false } },
    leaseKey: tool.credential === undefined ? undefined : createLeaseKey().publicKey,
  };
  const made = claimOf(checkCall(event, testBus.keyring, nowMs), facts, testBus.keyring, nowMs);
  const readers = testBus.keyring.sealKeysOf('executor', nowMs);
  const claim: Claim = broken
    ? { ...made, evidence: seal('{', readers, sealContext('evidence', call)) }
    : made;
  expect(await bus.claim('started', claim, 0)).toMatchObject({ stored: true });
  const notice: ClaimNotice = {
    ...{ tenant: caller.tenant, call, step: 'started', sequence: 1, storedAtMs: 0, claimMs: claim.claimMs },
    done: () => {},
    later: () => {},
  };
  return notice;
}

/** Recovers as a notice does: it is delivered again until it is done. */
async function deliver(notice: ClaimNotice): Promise<void> {
  await eventually(() =>
    recover(notice, parts).then(
      () => true,
      () => undefined,
    ),
  );
}

async function settled(call: string) {
  return await eventually(async () => {
    const last = await bus.readCall(caller.tenant, call);
    return last?.step === 'settled' ? last.body : undefined;
  });
}

describe('the notice of an idempotent call whose executor is gone', () => {
  test('[P-orphans-settle] is not done while carrying it out again could not begin, and the next delivery does it', async () => {
    const notice = await abandon('busy_1');
    parts.orphans.begin(notice);
    await expect(recover(notice, parts)).rejects.toMatchObject({ code: 'dependency_unavailable' });
    expect(await bus.readCall(caller.tenant, 'busy_1')).toMatchObject({ step: 'started' });
    parts.orphans.end(notice);
    await deliver(notice);
    expect(await settled('busy_1')).toMatchObject({ outcome: 'succeeded' });
    await expect(recover(notice, parts)).resolves.toBeUndefined();
  });

  test('[P-orphans-settle] settles as unknown when its record cannot be read, instead of being tried for ever', async () => {
    await deliver(await abandon('broken_1', {}, true));
    expect(await settled('broken_1')).toMatchObject({ outcome: 'unknown', code: 'outcome_unknown' });
  });
});

describe('[P-second-attempt-doubt] an idempotent call whose first executor died is unknown, not failed', () => {
  test('when the second attempt ends before anything is sent', async () => {
    const credential = { name: 'unset', inject: { as: 'bearer' as const } };
    const notice = await abandon('early_1', { claimMs: 500, credential });
    await deliver(notice);
    const outcome = await settled('early_1');
    expect(outcome).toMatchObject({ outcome: 'unknown', code: 'outcome_unknown', executor: 'rescuer' });
    expect(upstream.effects.get('early_1')).toBeUndefined();
  });

  test('when the upstream answers the second attempt with an error', async () => {
    upstream.behave({ kind: 'fail', status: 503 });
    await deliver(await abandon('fail_1'));
    expect(await settled('fail_1')).toMatchObject({ outcome: 'unknown', code: 'outcome_unknown' });
    upstream.behave({ kind: 'answer' });
  });
});
