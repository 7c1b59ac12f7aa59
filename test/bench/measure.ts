/** What is measured of a target, in which order and for how long. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Aim, Generator, RateResult } from './load.ts';

export interface Plan {
  rates: readonly number[];
  warmUpMs: number;
  rateMs: number;
  /** How long after its last sending a rate may still be answered. */
  drainMs: number;
  saturationMs: number;
}

export interface Measured {
  rates: RateResult[];
  saturationPerSecond: number;
  /** Requests of the saturation run that were refused, failed or lost. */
  saturationFailed: number;
}

/** At most this rate while warming up: code gets compiled, pools get filled, nothing piles up. */
const WARM_UP_RATE = 100;
const WARM_UP_SHARE = 0.5;
/** Between two measurements, so that what the first left behind is done. */
const REST_MS = 300;

/** Until the first call goes through: what was configured a moment ago reaches every service at its own time. */
const FIRST_CALL_MS = 30_000;

/** Measures one target. Throws when not one call to it succeeds. */
export async function measure(
  name: string,
  aim: Aim,
  { plan, generator, say }: { plan: Plan; generator: Generator; say: (line: string) => void },
): Promise<Measured> {
  const { warmUpMs, rateMs: durationMs, drainMs } = plan;
  if (!(await generator.firstCall(aim, FIRST_CALL_MS)))
    throw new Error(`Not one call to ${name} succeeds within ${FIRST_CALL_MS / 1_000} s.`);
  await generator.openLoop(aim, { rate: WARM_UP_RATE, durationMs: warmUpMs * WARM_UP_SHARE, drainMs });
  await generator.saturate(aim, warmUpMs * (1 - WARM_UP_SHARE));
  await sleep(REST_MS);
  // Before the rates, since one above the saturation leaves work behind.
  const { perSecond, failed } = await generator.saturate(aim, plan.saturationMs);
  say(`${name} saturates at ${perSecond}/s, ${failed} failed`);
  const rates: RateResult[] = [];
  for (const rate of plan.rates) {
    await sleep(REST_MS);
    const result = await generator.openLoop(aim, { rate, durationMs, drainMs });
    rates.push(result);
    const { p50Ms, p90Ms, p99Ms } = result;
    say(`${name} at ${rate}/s: p50 ${p50Ms} ms, p90 ${p90Ms} ms, p99 ${p99Ms} ms, ${result.failed} failed`);
  }
  return { rates, saturationPerSecond: perSecond, saturationFailed: failed };
}
