/**
 * The load: one generator for everything that is measured.
 *
 * 1. Open loop: requests leave when the schedule says, however slow the answers are, and a latency counts from the
 *    scheduled instant. A target that falls behind is seen to fall behind. What is not answered `drainMs` after the
 *    last sending is given up: it counts as failed, and its age so far counts as its latency.
 * 2. Saturation: `IN_FLIGHT` requests are kept in flight, each answered one followed by the next; what comes back
 *    in a second is what the target can do.
 */
import { Agent, request } from 'node:http';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** Enough to keep every process and the disk busy, few enough that nothing times out. */
export const IN_FLIGHT = 128;
/** An answer that takes longer counts as failed. */
const TIMEOUT_MS = 60_000;
/** Between two attempts at a first call. */
const RETRY_MS = 100;
/** A schedule of milliseconds: timers know nothing finer. */
const TICK_MS = 1;
/** Sockets an open loop may hold when a target falls behind: below the limits of the targets. */
const SOCKETS_MAX = 4_096;
/** The first part of a saturation run fills the pipe and is not counted. */
const FILLING_SHARE = 0.2;

/** What is asked of a target, again and again. */
export interface Aim {
  url: string;
  method: 'GET' | 'POST';
  headers: Readonly<Record<string, string>>;
  body: string;
  /** True when an answer is the one that was hoped for. */
  fits(status: number, body: string): boolean;
}

/** Latencies at one rate, in milliseconds. Whatever was refused, failed or lost counts as failed. */
export interface RateResult {
  rate: number;
  p50Ms: number;
  p90Ms: number;
  p99Ms: number;
  failed: number;
}

export interface SaturationResult {
  perSecond: number;
  failed: number;
}

export class Generator implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX, maxFreeSockets: SOCKETS_MAX });

  /** Asks, one call after the other, until one succeeds; false when none does in time. */
  async firstCall(aim: Aim, deadlineMs: number): Promise<boolean> {
    const deadline = AbortSignal.timeout(deadlineMs);
    while (!deadline.aborted) {
      if (await this.#send(aim, deadline)) return true;
      await sleep(RETRY_MS);
    }
    return false;
  }

  /** Sends at a steady rate for a while and returns when everything is answered or given up. */
  async openLoop(
    aim: Aim,
    { rate, durationMs, drainMs }: { rate: number; durationMs: number; drainMs: number },
  ): Promise<RateResult> {
    const count = Math.round((rate * durationMs) / 1_000);
    const latencies: number[] = [];
    let failed = 0;
    const waiting: Promise<void>[] = [];
    const givingUp = new AbortController();
    const startMs = performance.now();
    for (let sent = 0; sent < count; ) {
      for (; sent < count && startMs + (sent * 1_000) / rate <= performance.now(); sent += 1) {
        const scheduledMs = startMs + (sent * 1_000) / rate;
        const answered = this.#send(aim, givingUp.signal).then((fits) => {
          if (fits || givingUp.signal.aborted) latencies.push(performance.now() - scheduledMs);
          if (!fits) failed += 1;
        });
        waiting.push(answered);
      }
      await sleep(TICK_MS);
    }
    const late = setTimeout(() => givingUp.abort(), drainMs);
    await Promise.all(waiting);
    clearTimeout(late);
    return { rate, ...percentilesOf(latencies), failed };
  }

  /** Keeps requests in flight for a while and returns how many were answered in a second. */
  async saturate(aim: Aim, durationMs: number): Promise<SaturationResult> {
    const startMs = performance.now();
    const countFromMs = startMs + durationMs * FILLING_SHARE;
    const endMs = startMs + durationMs;
    let answered = 0;
    let failed = 0;
    const keepAsking = async (): Promise<void> => {
      while (performance.now() < endMs) {
        const fits = await this.#send(aim, undefined);
        const nowMs = performance.now();
        if (!fits) failed += 1;
        else if (nowMs >= countFromMs && nowMs < endMs) answered += 1;
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, keepAsking));
    return { perSecond: Math.round((answered * 1_000) / (endMs - countFromMs)), failed };
  }

  #send(aim: Aim, signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const { url, method, headers, body } = aim;
      const length = body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) };
      const sending = request(
        url,
        { method, headers: { ...headers, ...length }, agent: this.#agent, timeout: TIMEOUT_MS, signal },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (part: string) => {
            text += part;
          });
          response.on('end', () => resolve(aim.fits(response.statusCode ?? 0, text)));
          response.on('error', () => resolve(false));
        },
      );
      sending.on('timeout', () => sending.destroy());
      sending.on('error', () => resolve(false));
      sending.end(body);
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

/** Returns the value below which that share of the samples lies; 0 without samples. */
export function percentile(sorted: readonly number[], share: number): number {
  const index = Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1);
  return sorted[Math.max(0, index)] ?? 0;
}

function percentilesOf(latencies: number[]): Pick<RateResult, 'p50Ms' | 'p90Ms' | 'p99Ms'> {
  const sorted = latencies.sort((left, right) => left - right);
  const rounded = (share: number) => Math.round(percentile(sorted, share) * 100) / 100;
  return { p50Ms: rounded(0.5), p90Ms: rounded(0.9), p99Ms: rounded(0.99) };
}
