/**
 * How much open questions may take, so that one agent or tenant leaves room for the others, and all of them leave room
 * for answers and expiry.
 *
 * A1. A question is counted before it is written, and until the watch of the bucket says that it is closed or gone. Each
 *     replica counts for itself and sees what the others wrote, so together they may go over by what is under way.
 */
import { Fault, type QuestionEntry } from '@interlock/contracts';

const MEBIBYTE = 1_048_576;

interface Share {
  questions: number;
  bytes: number;
}

/** What may be open at the same time. The bucket is more than twice as large as all of it: closing a question writes it again. */
export const shares: { agent: Share; tenant: Share; all: Share } = {
  agent: { questions: 20, bytes: 4 * MEBIBYTE },
  tenant: { questions: 200, bytes: 16 * MEBIBYTE },
  all: { questions: 1_000, bytes: 64 * MEBIBYTE },
};

interface Open extends Pick<QuestionEntry['question'], 'tenant' | 'agent' | 'expiresAt'> {
  bytes: number;
}

/** Counts open questions. */
export class Shares {
  readonly #open = new Map<string, Open>();

  /** Notes a question as the bucket has it; undefined when it is gone. */
  note(key: string, entry: QuestionEntry | undefined): void {
    if (entry?.state === 'open') this.#open.set(key, openOf(entry));
    else this.#open.delete(key);
  }

  /**
   * Counts a question that is about to be written (A1). Returns what counts it no longer, for where it could not be
   * written; a question that was noted stays counted. Throws `approvals_limited` where it would be too much.
   */
  take(key: string, entry: QuestionEntry, nowMs: number): () => void {
    const wanted = openOf(entry);
    const others = [...this.#open].filter(([other]) => other !== key).map(([, open]) => open);
    const ofTenant = others.filter(({ tenant }) => tenant === wanted.tenant);
    const ofAgent = ofTenant.filter(({ agent }) => agent === wanted.agent);
    refuseAbove(shares.agent, ofAgent, wanted, { whose: 'this agent', nowMs });
    refuseAbove(shares.tenant, ofTenant, wanted, { whose: 'this tenant', nowMs });
    refuseAbove(shares.all, others, wanted, { whose: 'everybody', nowMs });
    if (!this.#open.has(key)) this.#open.set(key, wanted);
    return () => {
      if (this.#open.get(key) === wanted) this.#open.delete(key);
    };
  }
}

function openOf(entry: QuestionEntry): Open {
  const { tenant, agent, expiresAt } = entry.question;
  return { tenant, agent, expiresAt, bytes: Buffer.byteLength(JSON.stringify(entry)) };
}

function refuseAbove(
  share: Share,
  open: readonly Open[],
  { bytes }: Open,
  { whose, nowMs }: { whose: string; nowMs: number },
): void {
  const used = open.reduce((sum, one) => sum + one.bytes, bytes);
  if (open.length < share.questions && used <= share.bytes) return;
  const soonest = Math.min(...open.map(({ expiresAt }) => expiresAt));
  throw new Fault('approvals_limited', {
    detail: `${open.length} calls of ${whose} wait for a person already, and more may not wait at the same time.`,
    ...(Number.isFinite(soonest) ? { retryAfterMs: Math.max(0, soonest - nowMs) } : {}),
  });
}
