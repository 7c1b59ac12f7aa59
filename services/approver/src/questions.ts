/**
 * The life of a question: open, then closed by one answer or by time, then published.
 *
 * Q1. The record is written first, and the event is made from the record. The record's revision decides between
 *     replicas, answers and expiry: one of them closes a question (docs/decisions/005).
 * Q2. `asked` is published after the open record and `resolved` after the closed one. Both expect nothing before them,
 *     so publishing them twice stores them once. A closed record that still holds the sealed call may be unpublished.
 * Q3. When a process is killed between the two, any replica completes them from the record alone (`sweep.ts`).
 */
import { inTrace, type Records, type Steps, type StoredRecord } from '@interlock/bus';
import { Fault, type PersonEntry, type QuestionEntry, type Statement } from '@interlock/contracts';
import { type ServiceKeys, signStatement } from '@interlock/keys';
import { applyAnswer } from './answer.ts';
import { expire } from './expire.ts';
import { resolutionOf, withoutCall } from './resolve.ts';
import type { Shares } from './shares.ts';

/** A rejected write means that somebody else changed the record, which happens a few times in a question's life. */
const WRITES_MAX = 8;
/**
 * A closed question is kept for so long: the call is over on the line by then, so that it cannot be asked again, and who
 * answered has heard what became of it.
 */
export const CLOSED_KEPT_MS = 600_000;
/** Whoever wrote a record published its event within this time. The stream forgets what is older than that. */
const PUBLISHED_MS = 600_000;

export interface QuestionParts {
  bus: Pick<Steps, 'publish'>;
  records: Records<QuestionEntry>;
  shares: Shares;
  keys: Pick<ServiceKeys, 'sign'>;
  clock: { nowMs(): number };
}

/** Returns the key of a call's question. */
export function questionKey({ tenant, call }: { tenant: string; call: string }): string {
  return `${tenant}.${call}`;
}

/**
 * Stores a question and publishes `asked`. When the call has a question already, that one is published again.
 * Throws `approvals_limited`, and `approval_impossible` when the stored question is about another call with this id.
 */
export async function putQuestion(parts: QuestionParts, entry: QuestionEntry): Promise<void> {
  const stored = await openedOrStored(parts, entry);
  if (stored.question.callDigest !== entry.question.callDigest)
    throw new Fault('approval_impossible', {
      detail: 'Another call with this id has a question already.',
    });
  await publishAsked(parts, stored);
}

/** Returns what is stored for the call: the question itself, or the one that was stored before it. */
async function openedOrStored(
  { records, shares, clock }: QuestionParts,
  entry: QuestionEntry,
): Promise<QuestionEntry> {
  const key = questionKey(entry.question);
  const before = await records.get(key);
  if (before !== undefined) return before.value;
  const giveBack = shares.take(key, entry, clock.nowMs());
  let isOpen = false;
  try {
    isOpen = (await records.put(key, entry, 0)) !== undefined;
  } finally {
    // What was stored all the same is counted as soon as the watch has it, or is already.
    if (!isOpen) giveBack();
  }
  if (isOpen) return entry;
  const other = await records.get(key);
  if (other === undefined)
    throw new Fault('dependency_unavailable', { detail: 'The question of the call cannot be read.' });
  return other.value;
}

/** Publishes `asked` for an open question. A second time it is not stored (Q2). */
export async function publishAsked({ bus }: QuestionParts, entry: QuestionEntry): Promise<void> {
  const { question, questionDigest, sealed, state } = entry;
  if (state !== 'open' || sealed === undefined) return;
  const asked = { question, questionDigest, sealed };
  await inTrace(entry.traceparent, () => bus.publish('asked', entry.question, asked, 0));
}

/**
 * Applies an authentic answer to the question it was sent to. An answer that was made for another call is rejected there.
 * Returns the outcome; `unknown` when there is no such question.
 */
export async function putAnswer(
  parts: QuestionParts,
  { answer, sentTo }: { answer: Statement<'answer'>; sentTo: { tenant: string; call: string } },
  personOf: (person: string) => PersonEntry | undefined,
): Promise<'accepted' | 'rejected' | 'known' | 'unknown'> {
  const { records, clock } = parts;
  const key = questionKey(sentTo);
  for (let write = 0; write < WRITES_MAX; write++) {
    const stored = await records.get(key);
    if (stored === undefined) return 'unknown';
    const outcome = applyAnswer(answer, stored.value, personOf(answer.person), clock.nowMs());
    if (outcome.kind === 'known') {
      await publishResolved(parts, stored);
      return 'known';
    }
    const revision = await records.put(key, outcome.entry, stored.revision); // Q1
    if (revision === undefined) continue;
    if (outcome.kind === 'accepted') await publishResolved(parts, { value: outcome.entry, revision });
    return outcome.kind;
  }
  throw new Fault('dependency_unavailable', {
    detail: 'The question changes faster than it can be answered.',
  });
}

/**
 * Expires a question whose time is over, publishes what its record says and may not be published (Q3), and removes it
 * some time after it was closed.
 */
export async function advance(parts: QuestionParts, key: string): Promise<void> {
  const { records, clock } = parts;
  const stored = await records.get(key);
  if (stored === undefined) return;
  const { question, state, sealed, resolvedAt = 0 } = stored.value;
  if (state !== 'open' && sealed === undefined) {
    if (clock.nowMs() >= resolvedAt + CLOSED_KEPT_MS) await records.remove(key);
    return;
  }
  const expired = expire(stored.value, clock.nowMs());
  if (expired === undefined) {
    if (clock.nowMs() < question.askedAt + PUBLISHED_MS) await publishAsked(parts, stored.value);
    await publishResolved(parts, stored);
    return;
  }
  const revision = await records.put(key, expired, stored.revision);
  // A rejected write means that an answer or another replica closed the question, and publishes it.
  if (revision !== undefined) await publishResolved(parts, { value: expired, revision });
}

/** Publishes the resolution of a closed question, and then removes the sealed call from its record. */
async function publishResolved(
  parts: QuestionParts,
  { value: entry, revision }: StoredRecord<QuestionEntry>,
): Promise<void> {
  const resolution = resolutionOf(entry);
  if (resolution === undefined) return;
  const { tenant, call } = entry.question;
  const statement = signStatement(resolution.statement, parts.keys.sign);
  const body = { tenant, call, statement, sealed: resolution.sealed };
  await inTrace(entry.traceparent, () => parts.bus.publish('resolved', entry.question, body, 0));
  // A rejected write means that somebody noted an answer or did this: the next sweep completes it.
  await parts.records.put(questionKey(entry.question), withoutCall(entry), revision);
}
