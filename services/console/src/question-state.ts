/** What became of a question and of its call, for the people who may answer: an approval is no promise that the call runs. */
import {
  type AuditRecord,
  type QuestionEntry,
  type QuestionState,
  questionStateSchema,
} from '@interlock/contracts';
import type { Management } from './management.ts';

const LOOK_UP_TIMEOUT_MS = 10_000;

/** Returns the state of a question, and how its call ended as far as the audit trail has it. */
export async function questionState(
  { bus }: Pick<Management, 'bus'>,
  { tenant, call }: { tenant: string; call: string },
  { state }: QuestionEntry,
): Promise<QuestionState> {
  const { records } = await bus.ask('auditor.show', { call, tenants: [tenant] }, LOOK_UP_TIMEOUT_MS);
  const ending = endingOf(records);
  return { tenant, call, state, ...(ending === undefined ? {} : { ending }) };
}

type Ending = NonNullable<QuestionState['ending']>;

const endingSchema = questionStateSchema.shape.ending.unwrap();
/** What a step says counts in this order: a call that started has settled when both are recorded. */
const STEPS = ['settled', 'refused', 'restarted', 'started'];

/** Returns how a call ended, of the records about it. */
export function endingOf(records: readonly Pick<AuditRecord, 'step' | 'event'>[]): Ending | undefined {
  const found = STEPS.map((step) => records.find((record) => record.step === step)).find(
    (record) => record !== undefined,
  );
  if (found === undefined) return undefined;
  const { outcome, code, detail } = found.event;
  switch (found.step) {
    case 'settled':
      return endingSchema.parse({ step: 'settled', outcome, ...(code === undefined ? {} : { code }) });
    case 'refused':
      return endingSchema.parse({ step: 'refused', code, detail });
    default:
      return { step: 'started' };
  }
}
