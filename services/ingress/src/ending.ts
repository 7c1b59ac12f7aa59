/** What a request about a call ends with, and its answer. */
import type { BusLog } from '@interlock/bus';
import { Fault, type FaultCode, type RefusedCall } from '@interlock/contracts';
import type { Clock } from '@interlock/shell';
import { type Answer, answerHeld, answerOutcome, answerRefusal, answerRunning } from './answer.ts';
import type { CallState } from './call-state.ts';
import { type ResultSources, resultOf, type ShownResult } from './results.ts';
import type { Waiter } from './waits.ts';

export type Ending =
  | Extract<CallState, { kind: 'settled' | 'refused' | 'held' }>
  | { kind: 'running' }
  /** The request itself is refused, or the call's outcome is not known. */
  | { kind: 'fault'; fault: Fault };

export interface EndingParts {
  results: ResultSources;
  clock: Pick<Clock, 'nowMs'>;
  log: BusLog;
}

/** Returns the ending of a request that is answered with a fault. */
export function faultEnding(code: FaultCode): Ending {
  return { kind: 'fault', fault: new Fault(code) };
}

/** Answers the request that `waiter` belongs to. */
export async function answerEnding(ending: Ending, waiter: Waiter, parts: EndingParts): Promise<Answer> {
  const { call } = waiter.waited;
  switch (ending.kind) {
    case 'settled': {
      const { settled, live } = ending;
      const result = await readResult(settled, live ? waiter : undefined, parts);
      return answerOutcome(settled, { result, replayed: !live });
    }
    case 'refused':
      return answerRefusal(leftOf(ending.refused, parts.clock.nowMs()), call);
    case 'held':
      return answerHeld(ending.question);
    case 'running':
      return answerRunning(call);
    case 'fault':
      return answerRefusal(ending.fault, call);
    default:
      return ending satisfies never;
  }
}

/** A wait that a stored refusal named began when it was made. What is over is not said. */
function leftOf({ retryAfterMs, ...refused }: RefusedCall, nowMs: number): RefusedCall {
  const leftMs = retryAfterMs === undefined ? 0 : refused.at + retryAfterMs - nowMs;
  return leftMs <= 0 ? refused : { ...refused, retryAfterMs: Math.min(leftMs, retryAfterMs ?? 0) };
}

/** The outcome is known whatever becomes of its body: a body that cannot be read is absent. */
async function readResult(
  settled: Parameters<typeof resultOf>[0],
  waiter: Waiter | undefined,
  { results, log }: EndingParts,
): Promise<ShownResult> {
  try {
    return await resultOf(settled, waiter, results);
  } catch (err) {
    log.warn({ err, call: settled.call }, 'could not read the kept result of a call: answering without it');
    return {};
  }
}
