/** Purging on real streams: only what nobody needs, and for ever. */
import type { Bus } from '@interlock/bus';
import {
  digestOf,
  type EventBody,
  limits,
  type OutcomeEntry,
  outcomeEntrySchema,
  type PurgedStream,
} from '@interlock/contracts';
import { startServices, systemClock } from '@interlock/shell';
import { eventually, makeCall, makeClaim, sealedFor } from '@interlock/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startAnchors } from './anchors.ts';
import { type AuditedBus, newCall, openStoreAt, startAuditedBus, TENANT } from './audited-bus.fixture.ts';
import type { Head } from './chain.ts';
import { auditorService } from './main.ts';
import type { RecordStore } from './mongo.ts';
import { type PurgeOptions, purge } from './purge.ts';
import { createRecorder, type Recorder } from './recorder.ts';

/** The keys of a test bus are valid for an hour. */
const AHEAD_MS = 1_800_000;
/** Calls of one round, and rounds: together several times what the small ledger holds. */
const CALLS = 15;
const ROUNDS = 12;
const SMALL_LEDGER = 98_304;
const SUSTAINED_MS = 120_000;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

let stack: AsyncDisposableStack;
let audited: AuditedBus;
let store: RecordStore;
let executor: Bus;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  audited = stack.use(await startAuditedBus({ ledgerMaxBytes: SMALL_LEDGER }));
  store = stack.use(await openStoreAt(audited.url));
  executor = await audited.testBus.busOf('executor');
});
afterEach(() => stack?.disposeAsync());

/** Stores a claim, and how it ended. */
async function carryOut(call: string, ending?: Partial<EventBody<'settled'>>): Promise<void> {
  const made = makeCall({ tenant: TENANT, call });
  const claimed = await executor.claim('started', makeClaim(made, audited.testBus.keyring), 0);
  if (ending === undefined || !claimed.stored) return;
  const { tenant, agent, tool, argumentsDigest } = made;
  const settled: EventBody<'settled'> = {
    ...{ tenant, agent, tool, argumentsDigest, call, at: Date.now(), outcome: 'succeeded' },
    ...{ redactions: 0, labels: [], executor: 'exe_1', keepResult: true },
    ...ending,
  };
  await executor.settle(settled, claimed.sequence);
}

/** Returns the question of a call as the approver publishes it. */
function askedBody({ tenant, call: id }: { tenant: string; call: string }): EventBody<'asked'> {
  const { agent, user, session, call, tool, toolVersion, argumentsDigest, callDigest } = makeCall({
    tenant,
    call: id,
  });
  const identity = { tenant, agent, user, session, call, tool, toolVersion, argumentsDigest, callDigest };
  const question = {
    ...identity,
    reasons: [],
    roles: ['approver'],
    separateDuties: false,
    askedAt: 1,
    expiresAt: 2,
  };
  return {
    question,
    questionDigest: digestOf(question),
    sealed: sealedFor('auditor', id, audited.testBus.keyring),
  };
}

function recorderOf(stream: PurgedStream): Recorder {
  const options = { store, bus: audited.auditor, lastAnchor: async () => undefined, clock: systemClock };
  return createRecorder({ ...options, stream, open: () => undefined, log: silent, onStored() {} });
}

/** Purges with a checkpoint up to a head, without waiting for events to become old unless a test says so. */
async function purgeUpTo(stream: PurgedStream, head: Head | undefined, more: Partial<PurgeOptions> = {}) {
  const outcomes = audited.auditor.records('outcomes', outcomeEntrySchema);
  const anchors = { anchored: () => head, want() {} };
  return await purge(stream, {
    bus: audited.auditor,
    outcomes,
    store,
    log: silent,
    anchors,
    keptMs: -1,
    ...more,
  });
}

const outcomeOf = async (call: string): Promise<OutcomeEntry | undefined> =>
  (await audited.ingress.records('outcomes', outcomeEntrySchema).get(`${TENANT}.${call}`))?.value;
const firstSequence = async (stream: PurgedStream) =>
  (await audited.auditor.streamState(stream)).firstSequence;

describe('[P-streams-bounded] the ledger', () => {
  test('loses nothing that is not recorded, not under a checkpoint, or younger than half an hour', async () => {
    for (const call of [newCall(), newCall(), newCall()]) await audited.refuse(call);
    const head = await recorderOf('LEDGER').catchUp();
    expect(await purgeUpTo('LEDGER', undefined)).toBe(0);
    expect(await purgeUpTo('LEDGER', { ...head, created: 'another ledger' })).toBe(0);
    expect(await purgeUpTo('LEDGER', head, { keptMs: limits.eventsKeptMs })).toBe(0);
    expect(await purgeUpTo('LEDGER', { ...head, sequence: 1 })).toBe(0);
    await audited.records.deleteMany({ sequence: 2 });
    expect(await purgeUpTo('LEDGER', head)).toBe(0);
    expect(await firstSequence('LEDGER')).toBe(1);
  });

  test('keeps how each call ended before it loses it, and the first end that was kept stays', async () => {
    const [succeeded, refused] = [newCall(), newCall()];
    await carryOut(succeeded, { upstreamStatus: 201 });
    await audited.refuse(refused);
    await audited.refuse(newCall());
    expect(await purgeUpTo('LEDGER', await recorderOf('LEDGER').catchUp())).toBe(3);
    expect(await outcomeOf(succeeded)).toMatchObject({
      step: 'settled',
      outcome: 'succeeded',
      upstreamStatus: 201,
    });
    expect(await outcomeOf(refused)).toMatchObject({ step: 'refused', agent: 'clerk', tool: 'pay' });
    expect(await executor.readCall(TENANT, succeeded)).toBeUndefined();
    // A refusal that comes when the ledger holds the call no longer.
    await audited.refuse(succeeded);
    await audited.refuse(newCall());
    await purgeUpTo('LEDGER', await recorderOf('LEDGER').catchUp());
    expect(await outcomeOf(succeeded)).toMatchObject({ step: 'settled' });
  });

  test('[P-ledger-claim-once] keeps a claim that has not ended, however old it is, and what came after it', async () => {
    const [ended, open] = [newCall(), newCall()];
    await carryOut(ended, {});
    await carryOut(open);
    await carryOut(newCall(), {});
    const head = await recorderOf('LEDGER').catchUp();
    expect(await purgeUpTo('LEDGER', head)).toBe(2);
    expect((await executor.readCall(TENANT, open))?.step).toBe('started');
    const claim = makeClaim(makeCall({ tenant: TENANT, call: open }), audited.testBus.keyring);
    expect(await executor.claim('started', claim, 0)).toEqual({ stored: false });
  });

  test('keeps an end that it cannot read, and what came after it, and says so', async () => {
    const odd = newCall();
    await audited.refuse(newCall());
    await carryOut(odd, { redactions: -1 });
    await carryOut(newCall(), {});
    const errors: object[] = [];
    const log = { ...silent, error: (fields: object) => void errors.push(fields) };
    const head = await recorderOf('LEDGER').catchUp();
    expect(await purgeUpTo('LEDGER', head, { log })).toBe(2);
    expect(errors).toMatchObject([{ sequence: 3, call: `${TENANT}.${odd}` }]);
    expect(await purgeUpTo('LEDGER', head)).toBe(0);
    expect(await firstSequence('LEDGER')).toBe(3);
    const claim = makeClaim(makeCall({ tenant: TENANT, call: odd }), audited.testBus.keyring);
    expect(await executor.claim('started', claim, 0)).toEqual({ stored: false });
  });

  test(
    'goes on for ever: several times what it holds is recorded, purged and verified, and it is never as full as its alarm',
    async () => {
      const recorder = recorderOf('LEDGER');
      const anchors = stack.use(
        startAnchors({ bus: audited.auditor, clock: systemClock, log: silent, onSigned() {} }),
      );
      let written = 0;
      const first = newCall();
      await carryOut(first, {});
      for (let round = 0; round < ROUNDS; round += 1) {
        const before = (await audited.auditor.streamState('LEDGER')).bytes;
        for (let index = 0; index < CALLS; index += 1) {
          await carryOut(newCall(), {});
        }
        const { bytes, maxBytes } = await audited.auditor.streamState('LEDGER');
        expect(bytes).toBeLessThan(0.6 * maxBytes);
        written += bytes - before;
        const head = await recorder.catchUp();
        anchors.note(head);
        anchors.want('LEDGER');
        await eventually(() => anchors.anchored('LEDGER')?.sequence === head.sequence);
        await purgeUpTo('LEDGER', head, { anchors });
      }
      expect(written).toBeGreaterThan(3 * SMALL_LEDGER);
      expect(await executor.readCall(TENANT, first)).toBeUndefined();
      expect(await outcomeOf(first)).toMatchObject({ outcome: 'succeeded' });
      await using _auditor = await audited.start();
      expect(await audited.verify()).toMatchObject({
        intact: true,
        checked: { LEDGER: 2 * (CALLS * ROUNDS + 1) },
      });
      await audited.records.deleteOne({ stream: 'LEDGER', sequence: 3 });
      const { problems } = await audited.verify();
      expect(problems).toMatchObject([{ kind: 'missing', sequence: 3 }]);
    },
    SUSTAINED_MS,
  );
});

test('[P-auditor-catches-up] what is absent at the end of a stream is told of, and recorded as missing only when something came after it', async () => {
  const missing = () => audited.records.countDocuments({ step: 'missing' });
  for (const virgin of [true, false]) {
    const recorder = recorderOf('LEDGER');
    if (!virgin) await audited.refuse(newCall());
    const { sequence } = await recorder.catchUp();
    await audited.refuse(newCall());
    await audited.auditor.purgeBelow('LEDGER', sequence + 2);
    // As another auditor, started meanwhile, finds it.
    for (const one of [recorder, recorderOf('LEDGER')]) expect((await one.catchUp()).sequence).toBe(sequence);
    expect(await missing()).toBe(virgin ? 0 : 1);
    await using _auditor = await audited.start();
    expect((await audited.verify()).problems).toContainEqual(
      expect.objectContaining({ kind: 'truncated', sequence: sequence + 1 }),
    );
    await audited.refuse(newCall());
    await eventually(async () => (await missing()) === (virgin ? 1 : 2));
  }
});

describe('[P-streams-bounded] the stream of approvals', () => {
  test('loses what is recorded and was handled, and nothing that a service has yet to handle', async () => {
    const approver = await audited.testBus.busOf('approver');
    const address = { tenant: TENANT, call: newCall() };
    const statement = 'not verified here';
    await approver.publish('asked', address, askedBody(address), 0);
    await audited.console.publish('answered', address, { ...address, statement }, 'any');
    await approver.publish('asked', { ...address, call: 'next' }, askedBody({ ...address, call: 'next' }), 0);
    const head = await recorderOf('APPROVALS').catchUp();
    expect(await purgeUpTo('APPROVALS', head)).toBe(0);
    await using _step = await approver.step('approver-answered', {
      verb: () => undefined,
      poison: () => expect.unreachable(),
      concurrency: 1,
    });
    await eventually(async () => (await purgeUpTo('APPROVALS', head)) === 2);
    expect(await firstSequence('APPROVALS')).toBe(3);
  });
});

test('[P-clock-agrees] an auditor whose clock runs ahead purges nothing, signs nothing, and is not ready', async () => {
  await audited.refuse(newCall());
  const ahead = { ...systemClock, nowMs: () => Date.now() + AHEAD_MS };
  const env = { ...audited.testBus.env, MONGODB_URL: audited.mongo.url };
  const { healthUrl } = stack.use(
    await startServices([auditorService], {
      env,
      stop: new AbortController().signal,
      clock: ahead,
      logStream: { write() {} },
    }),
  );
  const readiness = await fetch(new URL('/readyz', healthUrl));
  expect({ ready: readiness.ok, text: await readiness.text() }).toEqual({
    ready: false,
    text: expect.stringContaining('the clock of this service and that of NATS differ by 1800 s'),
  });
  await expect(audited.verify()).rejects.toMatchObject({ code: 'dependency_unavailable' });
  expect(await audited.auditor.anchors('LEDGER')).toEqual([]);
  expect(await firstSequence('LEDGER')).toBe(1);
});
