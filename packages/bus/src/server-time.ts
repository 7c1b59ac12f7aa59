import { z } from 'zod';

/** The client's types do not know of the server's time, which stands in every answer about a stream. */
const answerSchema = z.object({ ts: z.string() });

/** Returns what the server's clock said when it answered, milliseconds since the epoch. */
export function serverMsOf(answer: object): number {
  return Date.parse(answerSchema.parse(answer).ts);
}
