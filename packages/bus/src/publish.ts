/** Publishing against an expected sequence, and what a rejection means. */
import {
  type CallAddress,
  type Claim,
  callFilter,
  type EventBody,
  Fault,
  type LedgerStep,
  parseSubject,
  type Step,
} from '@interlock/contracts';
import {
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  type StoredMsg,
} from '@nats-io/jetstream';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { BusClock, LedgerEntry, Published } from './bus.ts';
import type { Connection } from './connection.ts';
import { envelopeOf, parseBody } from './envelope.ts';

/** How long a stored acknowledgement may take: an fsync on a busy disk, not a network that is gone. */
const ACK_TIMEOUT_MS = 3_000;
/**
 * A claim whose acknowledgement is lost is published this often before the caller hears that it is not known: see
 * docs/decisions/023.
 */
const CLAIM_TRIES = 2;

const WRONG_LAST_SEQUENCE = [10071, 10164];
const SUBJECT_FULL = 10077;
const STREAM_FULL = [10077, 10047];
const NO_MESSAGE = 10037;

export interface Publisher {
  publish<S extends Step>(
    step: S,
    address: CallAddress,
    body: EventBody<S>,
    expected: number | 'any',
  ): Promise<Published>;
  claim(step: 'started' | 'restarted', claim: Claim, expected: number): Promise<Published>;
  readCall(tenant: string, call: string): Promise<LedgerEntry | undefined>;
  readStep<S extends LedgerStep>(
    step: S,
    tenant: string,
    call: string,
  ): Promise<{ body: EventBody<S>; sequence: number } | undefined>;
}

export interface PublisherOptions {
  connection: Connection;
  js: JetStreamClient;
  /** Reads single messages, within a limit of its own. */
  reader: JetStreamManager;
  clock: BusClock;
  /** CloudEvents `source` of everything published. */
  source: string;
}

const tracer = trace.getTracer('interlock');

/** Makes the one place that publishes events of a call. */
export function createPublisher(options: PublisherOptions): Publisher {
  const publisher: Publisher = {
    publish: (step, address, body, expected) => publishEvent(options, step, address, body, expected),
    claim: (step, claim, expected) => claimCall(options, publisher, step, claim, expected),
    readCall: async (tenant, call) => {
      const message = await readLast(options, callFilter('started', { tenant, call }));
      return message === undefined ? undefined : ledgerEntry(message);
    },
    readStep: async (step, tenant, call) => {
      const message = await readLast(options, `interlock.ledger.v1.${step}.${tenant}.${call}`);
      return message === undefined
        ? undefined
        : { body: parseBody(step, message.data), sequence: message.seq };
    },
  };
  return publisher;
}

async function publishEvent<S extends Step>(
  { connection, js, clock, source }: PublisherOptions,
  step: S,
  address: CallAddress,
  body: EventBody<S>,
  expected: number | 'any',
): Promise<Published> {
  if (!connection.connected)
    throw new Fault('dependency_unavailable', { detail: 'The bus is away. Nothing was published.' });
  return tracer.startActiveSpan(
    `publish ${step}`,
    { kind: SpanKind.PRODUCER, attributes: publishAttributes(step, address) },
    async (span): Promise<Published> => {
      try {
        const { subject, headers, data } = envelopeOf(step, address, body, source, clock.nowMs());
        const expect =
          expected === 'any'
            ? {}
            : {
                expect: {
                  lastSubjectSequence: expected,
                  lastSubjectSequenceSubject: callFilter(step, address),
                },
              };
        const ack = await js.publish(subject, data, { headers, timeout: ACK_TIMEOUT_MS, ...expect });
        return { stored: true, sequence: ack.seq };
      } catch (cause) {
        if (isTaken(cause)) return { stored: false };
        span.setStatus({ code: SpanStatusCode.ERROR, message: 'not known whether it was stored' });
        if (cause instanceof JetStreamApiError && STREAM_FULL.includes(cause.code))
          throw new Fault('ledger_full', { cause });
        throw new Fault('dependency_unavailable', { detail: 'The bus did not acknowledge an event.', cause });
      } finally {
        span.end();
      }
    },
  );
}

function publishAttributes(step: Step, { call, tenant }: CallAddress) {
  return {
    'messaging.system': 'nats',
    'messaging.operation.name': 'publish',
    'messaging.destination.name': step,
    'interlock.call': call,
    'interlock.tenant': tenant,
  };
}

/** A rejected publish means that the step is taken. */
function isTaken(error: unknown): boolean {
  if (!(error instanceof JetStreamApiError)) return false;
  return (
    WRONG_LAST_SEQUENCE.includes(error.code) ||
    (error.code === SUBJECT_FULL && /per subject/.test(error.message))
  );
}

/**
 * Claims a call. Where the acknowledgement is lost, the very same claim is published again: what is absent now may
 * still arrive, so only the server's rejection tells that something stands, and the nonce tells whose it is.
 */
async function claimCall(
  options: PublisherOptions,
  publisher: Publisher,
  step: 'started' | 'restarted',
  claim: Claim,
  expected: number,
): Promise<Published> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const published = await publishEvent(options, step, claim, claim, expected);
      return published.stored ? published : await readBack(publisher, step, claim);
    } catch (fault) {
      const isDoubtful = fault instanceof Fault && fault.code === 'dependency_unavailable';
      if (!isDoubtful || !options.connection.connected || attempt >= CLAIM_TRIES) throw fault;
    }
  }
}

/** After a rejection: own nonce means mine. */
async function readBack(
  publisher: Publisher,
  step: 'started' | 'restarted',
  claim: Claim,
): Promise<Published> {
  const found = await publisher.readStep(step, claim.tenant, claim.call);
  if (found === undefined || found.body.nonce !== claim.nonce) return { stored: false };
  return { stored: true, sequence: found.sequence };
}

/** Reads from the leader. Throws `dependency_unavailable` when it does not answer in time. */
async function readLast(
  { connection, reader }: PublisherOptions,
  filter: string,
): Promise<StoredMsg | undefined> {
  if (!connection.connected)
    throw new Fault('dependency_unavailable', { detail: 'The ledger cannot be read.' });
  try {
    return (await reader.streams.getMessage('LEDGER', { last_by_subj: filter })) ?? undefined;
  } catch (cause) {
    if (cause instanceof JetStreamApiError && cause.code === NO_MESSAGE) return undefined;
    throw new Fault('dependency_unavailable', { detail: 'The ledger cannot be read.', cause });
  }
}

function ledgerEntry({ subject, data, seq: sequence }: StoredMsg): LedgerEntry {
  const step = parseSubject(subject)?.step;
  switch (step) {
    case 'started':
      return { step, body: parseBody(step, data), sequence };
    case 'restarted':
      return { step, body: parseBody(step, data), sequence };
    case 'settled':
      return { step, body: parseBody(step, data), sequence };
    case 'refused':
      return { step, body: parseBody(step, data), sequence };
    case 'evaluated':
      return { step, body: parseBody(step, data), sequence };
    default:
      throw new Fault('internal', { detail: 'The ledger holds a subject that is not the lifecycle’s.' });
  }
}
