/** Publishing an event of a call against an expected sequence (B1), and what a rejection means (B2). */
import { type CallAddress, callFilter, type EventBody, Fault, type Step } from '@interlock/contracts';
import type { MsgHdrs } from '@nats-io/transport-node';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { assertUsable } from './connection.ts';
import type { BusContext } from './context.ts';
import { envelopeOf } from './envelope.ts';
import { isStreamFull, isSubjectFull, isWrongSequence } from './server-errors.ts';

/** How long an acknowledgement may take: a sync on a busy disk, not a network that is gone. */
const ACK_TIMEOUT_MS = 3_000;

export type Published = { stored: true; sequence: number } | { stored: false };

/** What publishing needs. */
export type PublishContext = Pick<BusContext, 'connection' | 'js' | 'clock' | 'source'>;

const tracer = trace.getTracer('interlock');

/**
 * Publishes an event of a call. `stored: false` means that the step is taken. Throws `ledger_full`, and
 * `dependency_unavailable` when it is not known whether the event was stored.
 */
export async function publishEvent<S extends Step>(
  { connection, js, clock, source }: PublishContext,
  step: S,
  address: CallAddress,
  body: EventBody<S>,
  expected: number | 'any',
): Promise<Published> {
  assertUsable(connection, 'Nothing was published.');
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
        if (isWrongSequence(cause) || isSubjectFull(cause)) return { stored: false };
        span.setStatus({ code: SpanStatusCode.ERROR, message: 'not known whether it was stored' });
        if (isStreamFull(cause)) throw new Fault('ledger_full', { cause });
        throw new Fault('dependency_unavailable', {
          detail: 'NATS did not acknowledge an event, so it is not known whether the event was stored.',
          cause,
        });
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

/** Publishes what is no step of a call, and expects no sequence. Throws `dependency_unavailable`. */
export async function publishPlain(
  { connection, js }: Pick<BusContext, 'connection' | 'js'>,
  subject: string,
  body: string,
  headers: MsgHdrs,
): Promise<void> {
  assertUsable(connection, 'Nothing was published.');
  try {
    await js.publish(subject, body, { headers, timeout: ACK_TIMEOUT_MS });
  } catch (cause) {
    throw new Fault('dependency_unavailable', {
      detail: 'NATS did not acknowledge an event, so it is not known whether the event was stored.',
      cause,
    });
  }
}
