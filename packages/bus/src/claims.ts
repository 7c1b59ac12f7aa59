import { type ClaimStep, consumers, parseSubject, type Step } from '@interlock/contracts';
import type { JsMsg } from '@nats-io/jetstream';
import { fetchBatch, readBatches, storedAtMsOf } from './batches.ts';
import type { BusContext } from './context.ts';
import { claimMsOf } from './envelope.ts';

/**
 * Notices of claims are fetched this often, and this many at once: by then nearly all of them are settled, and a batch
 * costs little more than one. An orphan is found so much later.
 */
const CLAIMS_EVERY_MS = 500;
const CLAIMS_AT_ONCE = 2_000;
const CONSUMER = 'executor-claims';
const { stream, steps } = consumers[CONSUMER];

/** A claim that may need settling, as its headers describe it. */
export interface ClaimNotice {
  tenant: string;
  call: string;
  step: ClaimStep;
  sequence: number;
  /** When the server stored it, milliseconds since the epoch, and how long it holds. */
  storedAtMs: number;
  claimMs: number;
  /** The call is settled: the notice is never delivered again. */
  done(): void;
  /** Delivers the notice again after a while. */
  later(delayMs: number): void;
}

/** Calls back with every claim, in batches, until its notice is `done`. */
export function followClaims(
  at: Pick<BusContext, 'connection' | 'js' | 'log'>,
  listener: (notice: ClaimNotice) => void,
): AsyncDisposable {
  const turn = async () => {
    const consumer = await at.js.consumers.get(stream, CONSUMER);
    const { num_pending: undelivered, num_ack_pending: unsettled } = await consumer.info(true);
    // A notice that is not done is delivered again when its time has come, to a pull that waits for it.
    const expected = undelivered > 0 ? undelivered : unsettled;
    if (expected === 0) return;
    for (const message of await fetchBatch(consumer, Math.min(expected, CLAIMS_AT_ONCE))) {
      const notice = noticeOf(message);
      if (notice !== undefined) listener(notice);
    }
  };
  return readBatches(at, stream, { turn, restMs: CLAIMS_EVERY_MS });
}

function noticeOf(message: JsMsg): ClaimNotice | undefined {
  const parsed = parseSubject(message.subject);
  const claimMs = claimMsOf(message.headers);
  if (parsed === undefined || claimMs === undefined || !isClaim(parsed.step)) return undefined;
  return {
    ...{ ...parsed.address, step: parsed.step, sequence: message.seq },
    ...{ storedAtMs: storedAtMsOf(message), claimMs },
    done: () => message.ack(),
    later: (delayMs) => message.nak(delayMs),
  };
}

function isClaim(step: Step): step is ClaimStep {
  return steps.some((claim) => claim === step);
}
