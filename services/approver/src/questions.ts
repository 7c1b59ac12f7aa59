/**
 * The life of a question: open, then closed by one answer or by time, then published.
 *
 * 1. The record comes first, and the event says what the record says. The record's revision decides between replicas,
 *    answers and expiry: one of them closes a question (docs/decisions/005).
 * 2. `asked` follows the open record and `resolved` the closed one; both expect nothing before them, so saying them
 *    twice stores them once. A record that is closed and still holds the sealed call may not have been published.
 * 3. Whoever dies between the two halves is followed up from the record alone, by any replica (`rounds.ts`).
 */
import { inTrace, type Records, type Steps, type StoredRecord } from '@interlock/bus';
import { Fault, type PersonEntry, type QuestionEntry, type Statement } from '@interlock/contracts';
import { type ServiceKeys, signStatement } from '@interlock/keys';
import { judgeAnswer } from './answer.ts';
import { expire } from './expire.ts';
import { resolutionOf, withoutCall } from './resolve.ts';

/** Each lost write means that somebody else moved the record on, which happens a few times in a question's life. */
const WRITES_MAX = 8;

export interface QuestionParts {
  bus: Pick<Steps, 'publish'>;
  records: Records<QuestionEntry>;
  keys: Pick<ServiceKeys, 'sign'>;
  clock: { nowMs(): number };
}

/** Returns the key of a call's question. */
export function questionKey({ tenant, call }: { tenant: string; call: string }): string {
  return `${tenant}.${call}`;
}

/**
 * Keeps a question and announces it. Where the call has one already, that one is announced again.
 * Throws `approval_impossible` when the question that is there is about another call of this id.
 */
export async function putQuestion(parts: QuestionParts, entry: QuestionEntry): Promise<void> {
  const key = questionKey(entry.question);
  const written = await parts.records.put(key, entry, 0);
  const standing = written === undefined ? (await parts.records.get(key))?.value : entry;
  if (standing === undefined)
    throw new Fault('dependency_unavailable', { detail: 'A question is not readable.' });
  if (standing.question.callDigest !== entry.question.callDigest)
    throw new Fault('approval_impossible', {
      detail: 'Another question was asked under the id of this call.',
    });
  await announce(parts, standing);
}

/** Publishes `asked` for an open question. A second time it is not stored. */
export async function announce({ bus }: QuestionParts, entry: QuestionEntry): Promise<void> {
  const { question, questionDigest, sealed, state } = entry;
  if (state !== 'open' || sealed === undefined) return;
  const asked = { question, questionDigest, sealed };
  await inTrace(entry.traceparent, () => bus.publish('asked', entry.question, asked, 0));
}

/**
 * Counts an authentic answer at the question it was sent to; one that was made for another call is turned away there.
 * Returns how it was judged; `unknown` when there is no such question.
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
    const judgement = judgeAnswer(answer, stored.value, personOf(answer.person), clock.nowMs());
    if (judgement.kind === 'known') {
      await finish(parts, stored);
      return 'known';
    }
    const revision = await records.put(key, judgement.entry, stored.revision);
    if (revision === undefined) continue;
    if (judgement.kind === 'accepted') await finish(parts, { value: judgement.entry, revision });
    return judgement.kind;
  }
  throw new Fault('dependency_unavailable', { detail: 'A question changes faster than it can be answered.' });
}

/** Brings a question on as far as time and its record allow: expires it, publishes what is unpublished. */
export async function follow(parts: QuestionParts, key: string): Promise<void> {
  const { records, clock } = parts;
  const stored = await records.get(key);
  if (stored === undefined) return;
  const expired = expire(stored.value, clock.nowMs());
  if (expired === undefined) {
    await announce(parts, stored.value);
    await finish(parts, stored);
    return;
  }
  const revision = await records.put(key, expired, stored.revision);
  // A lost write means that an answer or another replica closed it, and says so itself.
  if (revision !== undefined) await finish(parts, { value: expired, revision });
}

/** Publishes the resolution of a closed question and then forgets the call. */
async function finish(
  parts: QuestionParts,
  { value: entry, revision }: StoredRecord<QuestionEntry>,
): Promise<void> {
  const resolution = resolutionOf(entry);
  if (resolution === undefined) return;
  const { tenant, call } = entry.question;
  const statement = signStatement(resolution.statement, parts.keys.sign);
  const body = { tenant, call, statement, sealed: resolution.sealed };
  await inTrace(entry.traceparent, () => parts.bus.publish('resolved', entry.question, body, 0));
  // A lost write means that somebody noted an answer or did this: the next round sees to it.
  await parts.records.put(questionKey(entry.question), withoutCall(entry), revision);
}
