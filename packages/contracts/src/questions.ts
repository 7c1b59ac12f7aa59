import { z } from 'zod';
import { questionSchema } from './events.ts';
import { faultCodes } from './faults.ts';
import { digestSchema, idSchema, instantMsSchema } from './ids.ts';
import { sealedSchema } from './sealed.ts';

/** The approver's record of a question: KV bucket `questions`, key = `<tenant>.<call>`. */
export const questionEntrySchema = z.strictObject({
  question: questionSchema,
  questionDigest: digestSchema,
  /** The exact held call, for decider, console and auditor; removed when the question is resolved. */
  sealed: sealedSchema.optional(),
  state: z.enum(['open', 'approved', 'denied', 'expired']),
  /** The call's trace (W3C Trace Context): what follows the answer is part of it. */
  traceparent: z.string().max(64).optional(),
  /** Who answered; absent until then. */
  person: idSchema.optional(),
  reason: z.string().max(1_000).optional(),
  resolvedAt: instantMsSchema.optional(),
  /** Answers that were not accepted, newest last. */
  rejected: z
    .array(
      z.strictObject({
        answer: idSchema,
        person: idSchema.optional(),
        code: z.enum(faultCodes),
        at: instantMsSchema,
      }),
    )
    .max(32),
  /** The answer that was accepted. */
  answer: idSchema.optional(),
});
export type QuestionEntry = z.infer<typeof questionEntrySchema>;
