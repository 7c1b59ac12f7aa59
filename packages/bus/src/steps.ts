import type { CallAddress, ClaimStep, Consumed, EventBody, Step, StepConsumer } from '@interlock/contracts';
import type { BusContext } from './context.ts';
import { type Published, publishEvent } from './publish.ts';
import { runStep, type StepOptions } from './run-step.ts';

/** Every step but those that the ledger writes: `claim`, `settle` and `refuse` are verbs of their own. */
export type PublishedStep = Exclude<Step, ClaimStep | 'settled' | 'refused'>;

/** The steps of a call: taking one event and publishing the next. */
export interface Steps {
  /** Consumes a durable consumer and publishes what the verb returns against the event's sequence. */
  step<C extends StepConsumer>(consumer: C, options: StepOptions<Consumed<C>>): Promise<AsyncDisposable>;
  /**
   * Publishes an event of a call and expects `expected` as the last sequence: of the call on the line, of the
   * call among the approvals (`asked`: 0), of the step itself (`resolved`: 0), of the call on the ledger
   * (`evaluated`: 0); `answered` expects `any`.
   * Throws `dependency_unavailable` when it is not known whether the event was stored.
   */
  publish<S extends PublishedStep>(
    step: S,
    address: CallAddress,
    body: EventBody<S>,
    expected: number | 'any',
  ): Promise<Published>;
}

/** Opens the steps over a connection. */
export function openSteps(at: BusContext): Steps {
  return {
    step: async (consumer, options) => runStep(at, consumer, options),
    publish: (step, address, body, expected) => publishEvent(at, step, address, body, expected),
  };
}
