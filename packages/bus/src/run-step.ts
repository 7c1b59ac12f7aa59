/**
 * Consuming a step: one event in, at most one event out.
 *
 * S1 A delivery is acknowledged only after its successor is stored, by this service or by another replica.
 * S2 A verb may run twice for one event: its answer is published against the event's sequence, so one of them wins.
 * S3 A delivery that failed is delivered again later. At the fifth delivery the owner refuses the call, so that no event
 *    circles for ever (docs/decisions/007). An event that does not parse is dropped then: its call ends at its deadline.
 */
import {
  type CallAddress,
  type Consumed,
  type EventBody,
  Fault,
  lifecycle,
  parseSubject,
  type Step,
  type StepConsumer,
  type Successor,
} from '@interlock/contracts';
import type { JsMsg } from '@nats-io/jetstream';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { consume } from './consume.ts';
import type { BusContext } from './context.ts';
import { extractTrace, parseBody } from './envelope.ts';
import { publishEvent } from './publish.ts';

/** The delivery at which a call is refused instead of being tried once more. */
const LAST_DELIVERY = 5;
/** How long a failed delivery waits before the next, by the number of deliveries so far. */
const RETRY_DELAYS_MS = [200, 500, 1_500, 3_000];

/** An event as it was delivered to the owner of the next step. */
export interface Delivery<S extends Step> {
  step: S;
  event: EventBody<S>;
  address: CallAddress;
  /** Its sequence in its stream. */
  sequence: number;
  /** 1 at the first delivery. */
  deliveries: number;
  /** Acknowledges before the verb returns, once the ledger holds the call. */
  acknowledge(): void;
}

/** What a verb returns for an event: one of the steps that may follow. */
export type Next<S extends Step> = { [N in Successor<S>]: { step: N; body: EventBody<N> } }[Successor<S>];

export interface StepOptions<S extends Step> {
  /**
   * Returns what follows, or undefined when nothing is to be published: the verb published by itself, or the step is
   * taken. After a thrown Fault that is `retryable`, and after any other error, the event is delivered again later.
   */
  verb: (delivery: Delivery<S>, signal: AbortSignal) => Promise<Next<S> | undefined> | Next<S> | undefined;
  /**
   * Returns the refusal of a call that failed in five deliveries: with the last fault, or `poison`; undefined where the
   * event belongs to no call that could be refused.
   */
  poison: (
    delivery: Delivery<S>,
    fault: Fault,
  ) => Promise<EventBody<'refused'> | undefined> | EventBody<'refused'> | undefined;
  /** Events handled at once. */
  concurrency: number;
}

const tracer = trace.getTracer('interlock');

/** Runs a verb over every event a durable consumer delivers. */
export function runStep<C extends StepConsumer>(
  at: BusContext,
  consumer: C,
  options: StepOptions<Consumed<C>>,
): AsyncDisposable {
  const { concurrency } = options;
  return consume(at, {
    name: consumer,
    concurrency,
    handle: (message, signal) => take(at, message, options, signal),
  });
}

async function take<S extends Step>(
  at: BusContext,
  message: JsMsg,
  options: StepOptions<S>,
  signal: AbortSignal,
): Promise<void> {
  const parsed = parseSubject(message.subject);
  if (parsed === undefined) return void message.term('not a subject of the lifecycle');
  const attributes = {
    'messaging.system': 'nats',
    'messaging.operation.name': 'process',
    'interlock.call': parsed.address.call,
    'interlock.tenant': parsed.address.tenant,
  };
  await context.with(extractTrace(message.headers), () =>
    tracer.startActiveSpan(
      `process ${parsed.step}`,
      { kind: SpanKind.CONSUMER, attributes },
      async (span) => {
        try {
          await handle(at, message, parsed.address, parsed.step, options, signal);
        } catch (error) {
          span.setStatus({
            code: SpanStatusCode.ERROR,
            message: error instanceof Fault ? error.code : 'unexpected',
          });
          at.log.error(
            {
              err: error,
              call: parsed.address.call,
              step: parsed.step,
              deliveries: message.info.deliveryCount,
            },
            'could not handle an event; it is delivered again later',
          );
          message.nak(delayAfter(message.info.deliveryCount));
        } finally {
          span.end();
        }
      },
    ),
  );
}

async function handle<S extends Step>(
  at: BusContext,
  message: JsMsg,
  address: CallAddress,
  step: Step,
  options: StepOptions<S>,
  signal: AbortSignal,
): Promise<void> {
  let acknowledged = false;
  const acknowledge = () => {
    if (!acknowledged) message.ack();
    acknowledged = true;
  };
  const event = parsedEvent(message, step);
  if (event === undefined) {
    at.log.error(
      { call: address.call, step },
      'dropped an event that does not have the shape of its step; its call ends at its deadline',
    );
    return void message.term('does not have the shape of its step');
  }
  const delivery = {
    step,
    event,
    address,
    sequence: message.seq,
    deliveries: message.info.deliveryCount,
    acknowledge,
  } as Delivery<S>;
  const next = await nextOf(delivery, options, signal);
  if (next !== undefined) await publishNext(at, delivery, next);
  // S1
  acknowledge();
}

/** Parses an event; at the last delivery one that does not parse is undefined, because no refusal can be made of it (S3). */
function parsedEvent(message: JsMsg, step: Step): object | undefined {
  try {
    return parseBody(step, message.data);
  } catch (error) {
    if (message.info.deliveryCount < LAST_DELIVERY) throw error;
    return undefined;
  }
}

/** Returns the verb's answer, or from the last delivery on a refusal in its place (S3). */
async function nextOf<S extends Step>(
  delivery: Delivery<S>,
  options: StepOptions<S>,
  signal: AbortSignal,
): Promise<AnyNext | undefined> {
  if (delivery.deliveries > LAST_DELIVERY) return await refusal(delivery, options, interrupted());
  try {
    return asNext(await options.verb(delivery, signal));
  } catch (error) {
    if (delivery.deliveries < LAST_DELIVERY) throw error;
    return await refusal(delivery, options, lastFault(error));
  }
}

/**
 * Returns the fault of an event that was delivered too often and whose verb is not known to have failed: its process died
 * or was cut off, or what followed could not be stored. That is an outage, which may pass.
 */
function interrupted(): Fault {
  return new Fault('dependency_unavailable', {
    detail:
      'A part of Interlock that this call needs failed or did not answer, several times. Nothing was done.',
  });
}

/**
 * Returns the fault that a call is refused with when its deliveries run out (docs/decisions/007). An error that is no
 * fault is a bug: the same event would meet it again.
 */
function lastFault(error: unknown): Fault {
  return error instanceof Fault && error.retryable ? error : new Fault('poison', { cause: error });
}

/** What may follow some step: the union that `Next` narrows for each. */
type AnyNext = Next<Exclude<Step, 'settled' | 'refused'>>;

function asNext(next: object | undefined): AnyNext | undefined {
  return next as AnyNext | undefined;
}

async function refusal<S extends Step>(
  delivery: Delivery<S>,
  options: StepOptions<S>,
  fault: Fault,
): Promise<AnyNext | undefined> {
  const body = await options.poison(delivery, fault);
  return body === undefined ? undefined : { step: 'refused', body };
}

/** Publishes a successor against the event's sequence where both are on the line (S2, and L2 in `lifecycle.ts`). */
async function publishNext<S extends Step>(
  at: BusContext,
  delivery: Delivery<S>,
  next: AnyNext,
): Promise<void> {
  const sameStream = lifecycle[next.step].stream === lifecycle[delivery.step].stream;
  const expected = sameStream && lifecycle[next.step].stream === 'LINE' ? delivery.sequence : 0;
  await publishEvent(at, next.step, delivery.address, next.body, expected);
}

function delayAfter(deliveries: number): number {
  return RETRY_DELAYS_MS[Math.min(deliveries, RETRY_DELAYS_MS.length) - 1] ?? 0;
}
