/**
 * Consuming a step: one event in, at most one event out.
 *
 * 1. A delivery is acknowledged only after what follows from it is stored, or somebody else took the step.
 * 2. A verb may run twice for one event: its answer is published against the event's sequence, so one wins.
 * 3. A delivery that failed comes again later; at the fifth the owner refuses the call, so that nothing circles
 *    (docs/decisions/007).
 *    One that nobody can read is left then: its call ends at its deadline.
 */
import {
  type CallAddress,
  type ConsumerName,
  Fault,
  lifecycle,
  parseSubject,
  type Step,
} from '@interlock/contracts';
import type { JsMsg } from '@nats-io/jetstream';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { BusLog, Consumed, Delivery, Next, StepOptions } from './bus.ts';
import type { Consume, Consumption } from './consume.ts';
import { extractTrace, parseBody } from './envelope.ts';
import type { Publisher } from './publish.ts';

/** The delivery at which a call is refused instead of being tried once more. */
const LAST_DELIVERY = 5;
/** How long a failed delivery waits before it comes again, by the number of deliveries so far. */
const RETRY_DELAYS_MS = [200, 500, 1_500, 3_000];

export interface StepContext {
  publisher: Publisher;
  consume: Consume;
  log: BusLog;
}

const tracer = trace.getTracer('interlock');

/** Runs a verb over every event a durable consumer delivers. */
export function runStep<C extends ConsumerName>(
  at: StepContext,
  consumer: C,
  options: StepOptions<Consumed<C>>,
): Promise<Consumption> {
  return at.consume(consumer, options.concurrency, (message, signal) => take(at, message, options, signal));
}

async function take<S extends Step>(
  at: StepContext,
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
            { err: error, call: parsed.address.call, step: parsed.step },
            'a delivery could not be handled',
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
  at: StepContext,
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
  const event = readable(message, step);
  if (event === undefined) {
    at.log.error({ call: address.call, step }, 'an event that nobody can read is left');
    return void message.term('not an event of this step');
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
  if (next !== undefined) await publishNext(at.publisher, delivery, next);
  acknowledge();
}

/** Parses an event; after too many deliveries one that cannot be read is undefined, for no refusal can be made of it. */
function readable(message: JsMsg, step: Step): object | undefined {
  try {
    return parseBody(step, message.data);
  } catch (error) {
    if (message.info.deliveryCount < LAST_DELIVERY) throw error;
    return undefined;
  }
}

/** Asks the verb, or after too many deliveries the refusal in its place. */
async function nextOf<S extends Step>(
  delivery: Delivery<S>,
  options: StepOptions<S>,
  signal: AbortSignal,
): Promise<AnyNext | undefined> {
  if (delivery.deliveries > LAST_DELIVERY) return refusal(delivery, options, new Fault('poison'));
  try {
    return asNext(await options.verb(delivery, signal));
  } catch (error) {
    if (delivery.deliveries < LAST_DELIVERY) throw error;
    return refusal(
      delivery,
      options,
      error instanceof Fault && error.retryable ? error : new Fault('poison', { cause: error }),
    );
  }
}

/** What follows any step: the union that `Next` narrows for each. */
type AnyNext = Next<Exclude<Step, 'settled' | 'refused'>>;

function asNext(next: object | undefined): AnyNext | undefined {
  return next as AnyNext | undefined;
}

function refusal<S extends Step>(delivery: Delivery<S>, options: StepOptions<S>, fault: Fault): AnyNext {
  return { step: 'refused', body: options.poison(delivery, fault) };
}

async function publishNext<S extends Step>(
  publisher: Publisher,
  delivery: Delivery<S>,
  next: AnyNext,
): Promise<void> {
  const sameStream = lifecycle[next.step].stream === lifecycle[delivery.step].stream;
  const expected = sameStream && lifecycle[next.step].stream === 'LINE' ? delivery.sequence : 0;
  await publisher.publish(next.step, delivery.address, next.body, expected);
}

function delayAfter(deliveries: number): number {
  return RETRY_DELAYS_MS[Math.min(deliveries, RETRY_DELAYS_MS.length) - 1] ?? 0;
}
