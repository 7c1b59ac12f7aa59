import type { QuestionEntry } from '@interlock/contracts';

/** Returns the closed record of an open question whose time is over; undefined for any other. */
export function expire(entry: QuestionEntry, nowMs: number): QuestionEntry | undefined {
  if (entry.state !== 'open' || nowMs < entry.question.expiresAt) return undefined;
  return { ...entry, state: 'expired', resolvedAt: nowMs };
}
