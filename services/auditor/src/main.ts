import { type Bus, connectBus } from '@interlock/bus';
import {
  type AuditedStream,
  type AuditVerification,
  auditedStreams,
  Fault,
  outcomeEntrySchema,
  type VerificationProgress,
} from '@interlock/contracts';
import type { Keyring } from '@interlock/keys';
import { defineService, run, type ServiceContext } from '@interlock/shell';
import { readAnchor, startAnchors } from './anchors.ts';
import { configSchema } from './config.ts';
import { openerOf } from './evidence.ts';
import { search, show } from './look-up.ts';
import { anchorsSigned, recordsStored } from './metrics.ts';
import { openStore, type RecordStore } from './mongo.ts';
import { startPurging } from './purge.ts';
import { createRecorder, type Recorder } from './recorder.ts';
import { createReplays } from './replay.ts';
import { createVerifications } from './verifications.ts';
import { StreamCheck } from './verify.ts';

/** The auditor: records the durable streams, signs checkpoints, answers what happened and whether the record is whole. */
export const auditorService = defineService({
  name: 'auditor',
  config: configSchema,
  async start(context) {
    await using stack = new AsyncDisposableStack();
    const { service, nats, keys, keyring, clock, log, health, config } = context;
    const bus = stack.use(await connectBus({ service, nats, keys, keyring, clock, log }));
    const store = stack.use(await openStore({ url: config.MONGODB_URL, clock, log }));
    const onSigned = (stream: AuditedStream) => anchorsSigned.inc({ stream });
    const anchors = stack.use(startAnchors({ bus, clock, log, onSigned }));
    const parts: Parts = { bus, store, keyring, clock };
    const recorders = {
      LEDGER: recorderOf('LEDGER'),
      APPROVALS: recorderOf('APPROVALS'),
      CONTROL: recorderOf('CONTROL'),
    };
    const outcomes = bus.records('outcomes', outcomeEntrySchema);
    stack.use(startPurging({ bus, outcomes, store, clock, log, anchors }));
    health.add('bus', () => bus.ready);
    health.add('mongodb', () => store.ready);
    for (const stream of auditedStreams) {
      stack.use(bus.follow(stream, (batch) => recorders[stream].store(batch)));
      // Has a checkpoint signed for records under none. When the store does not answer, the next message does this.
      recorders[stream]
        .catchUp()
        .catch((error: unknown) =>
          log.warn({ err: error, stream }, 'records are missing; they are stored with the next message'),
        );
    }
    const replays = stack.use(createReplays({ store, clock }));
    const verifications = createVerifications((progress) => verifyAll(recorders, parts, progress));
    await bus.serve('auditor.show', (request) => show(request, store));
    await bus.serve('auditor.search', (request) => search(request, store));
    await bus.serve('auditor.verify', (request) => verifications.answer(request));
    await bus.serve('auditor.replay', (request) => replays.answer(request));
    const owned = stack.move();
    return { [Symbol.asyncDispose]: () => owned.disposeAsync() };

    function recorderOf(stream: AuditedStream): Recorder {
      return createRecorder({
        stream,
        store,
        bus,
        lastAnchor: () => lastAnchorOf(stream, parts),
        open: openerOf(keys),
        clock,
        log,
        onStored(head, records) {
          recordsStored.inc({ stream }, records);
          anchors.note(head);
        },
      });
    }
  },
});

type Parts = Pick<ServiceContext<unknown>, 'clock'> & {
  bus: Bus;
  store: RecordStore;
  keyring: Keyring;
};

/** Returns the newest checkpoint that verifies. `verify` reports the others. */
async function lastAnchorOf(stream: AuditedStream, { bus, keyring, clock }: Parts) {
  const last = await bus.lastAnchor(stream);
  if (last === undefined) return undefined;
  const verified = verifiedOrNot(last);
  if (verified !== undefined) return verified;
  for (const jws of (await bus.anchors(stream)).toReversed()) {
    const earlier = verifiedOrNot(jws);
    if (earlier !== undefined) return earlier;
  }
  return undefined;

  function verifiedOrNot(jws: string) {
    try {
      return readAnchor(jws, keyring, clock.nowMs());
    } catch (error) {
      if (error instanceof Fault) return undefined;
      throw error;
    }
  }
}

/** Verifies every stream in one pass through the store: reading it is what takes long. */
async function verifyAll(
  recorders: Record<AuditedStream, Recorder>,
  { bus, store, keyring, clock }: Parts,
  onProgress: (progress: VerificationProgress) => void,
): Promise<AuditVerification> {
  const checks = new Map<AuditedStream, StreamCheck>();
  const progress = { checked: 0, expected: 0 };
  for (const stream of auditedStreams) {
    const { created, lastSequence } = await bus.streamState(stream);
    await recorders[stream].catchUp();
    progress.expected += lastSequence;
    checks.set(
      stream,
      new StreamCheck({
        stream,
        anchors: await bus.anchors(stream),
        readAnchor: (jws) => readAnchor(jws, keyring, clock.nowMs()),
        reach: { created, sequence: lastSequence },
        bus,
      }),
    );
  }
  onProgress({ ...progress });
  for await (const page of store.everything()) {
    for (const check of checks.values()) progress.checked += await check.page(page);
    onProgress({ ...progress });
  }
  const checked = { LEDGER: 0, APPROVALS: 0, CONTROL: 0 };
  const problems: AuditVerification['problems'] = [];
  let anchors = 0;
  for (const [stream, check] of checks) {
    const found = await check.finish();
    checked[stream] = found.checked;
    anchors += found.anchors;
    problems.push(...found.problems);
  }
  return { intact: problems.length === 0, checked, anchors, problems: problems.slice(0, PROBLEMS_MAX) };
}

/** A person reads the report, and its schema takes no more. */
const PROBLEMS_MAX = 100;

if (import.meta.main) await run([auditorService]);
