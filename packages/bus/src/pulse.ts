/**
 * The pulse: one short question to the server after the other, four in a second.
 *
 * H1 What the server says is as old as its question, not as its answer. Whatever delays either of them, nothing counts
 *    as newer than it is.
 * H2 While the clock of this service differs from the server's by more than `CLOCK_TOLERANCE_MS`, nothing is done over
 *    the connection: the limits of calls, claims and keys are instants. The difference counts only beyond what the way
 *    of question and answer can explain.
 * H3 Between two answers the wall clock goes as the monotonic one does. Where it jumps, nothing is done until the server
 *    has said which of the two is right: a service that is stopped by the next answer would have worked until then.
 */
import { pulseBucket } from '@interlock/contracts';
import type { JetStreamManager } from '@nats-io/jetstream';
import type { Connection } from './connection.ts';
import { startLoop } from './loop.ts';
import type { BusOptions } from './options.ts';
import { serverMsOf } from './server-time.ts';

/** Four questions fit into the second after which a copy of the kill switches counts as old. */
const EVERY_MS = 250;
/** Services hold instants of others within this tolerance (`GRACE_MS` of the executor, `CLOCK_SKEW_MS` of the broker). */
const CLOCK_TOLERANCE_MS = 2_000;

/** What the server answered. */
export interface PulseAnswer {
  /** When it was asked, on the monotonic clock (H1). */
  askedAtMs: number;
  /** The last sequence of the bucket that is asked about. */
  lastSequence: number;
}

export interface Pulse extends AsyncDisposable {
  readonly last: PulseAnswer | undefined;
  /** Returns how long ago the last question was sent that was answered. */
  ageMs(): number;
  /** Calls back with each answer. Returns a function that ends that. */
  onAnswer(listener: (answer: PulseAnswer) => void): () => void;
}

/** What asking needs. `jsm` gives up soon, so that the next question is asked soon. */
type PulseContext = Pick<BusOptions, 'clock' | 'log'> & {
  connection: Pick<Connection, 'nats' | 'reachable' | 'forbid'>;
  jsm: JetStreamManager;
};

/** Starts asking, and returns when the first question was answered or failed. */
export async function startPulse(at: PulseContext): Promise<Pulse> {
  const { connection, clock, log } = at;
  const listeners = new Set<(answer: PulseAnswer) => void>();
  const first = Promise.withResolvers<void>();
  const startedAtMs = clock.monotonicMs();
  let last: PulseAnswer | undefined;
  let agrees = true;
  const loop = startLoop({
    // It goes on while the clocks differ, to see when they agree again.
    connection: {
      nats: connection.nats,
      get connected() {
        return connection.reachable;
      },
    },
    turn: async () => {
      const { answer, differenceMs, offsetMs } = await ask(at);
      first.resolve();
      const agreed = agrees;
      agrees = Math.abs(differenceMs) <= CLOCK_TOLERANCE_MS;
      if (agreed && !agrees)
        log.error({ differenceMs }, 'this service does nothing until its clock and that of NATS agree');
      connection.forbid(reasonOf({ differenceMs, offsetMs }, clock));
      last = answer;
      for (const listener of listeners) listener(answer);
    },
    onError: (error) => {
      first.resolve();
      log.debug({ err: error }, 'the server did not answer the pulse; asking again');
    },
    restMs: EVERY_MS,
    retryMs: EVERY_MS,
  });
  await first.promise;
  return {
    get last() {
      return last;
    },
    ageMs: () => clock.monotonicMs() - (last?.askedAtMs ?? startedAtMs),
    onAnswer: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose](),
  };
}

/** How the clock of this service stands to that of the server, and the wall clock to the monotonic one. */
interface Agreement {
  differenceMs: number;
  offsetMs: number;
}

/** What passed is measured by the monotonic clock: the wall clock may jump while the server is asked. */
async function ask({ jsm, clock }: PulseContext): Promise<{ answer: PulseAnswer } & Agreement> {
  const [askedAtMs, earliestMs] = [clock.monotonicMs(), clock.nowMs()];
  const answered = await jsm.streams.info(`KV_${pulseBucket}`);
  const latestMs = earliestMs + clock.monotonicMs() - askedAtMs;
  return {
    answer: { askedAtMs, lastSequence: answered.state.last_seq },
    differenceMs: beyond(serverMsOf(answered), { earliestMs, latestMs }),
    offsetMs: earliestMs - askedAtMs,
  };
}

/** Returns what says, whenever it is asked until the next answer, why the clock cannot be relied on (H2, H3). */
function reasonOf(
  { differenceMs, offsetMs }: Agreement,
  clock: PulseContext['clock'],
): () => string | undefined {
  return () => {
    if (Math.abs(differenceMs) > CLOCK_TOLERANCE_MS)
      return `the clock of this service and that of NATS differ by ${words(differenceMs)}`;
    const jumpMs = clock.nowMs() - clock.monotonicMs() - offsetMs;
    return Math.abs(jumpMs) > CLOCK_TOLERANCE_MS
      ? `the clock of this service jumped by ${words(jumpMs)}`
      : undefined;
  };
}

/** Returns how far an instant is outside of a span of time: negative before it, positive after it, 0 within. */
export function beyond(
  instantMs: number,
  { earliestMs, latestMs }: { earliestMs: number; latestMs: number },
): number {
  if (instantMs < earliestMs) return instantMs - earliestMs;
  return Math.max(0, instantMs - latestMs);
}

function words(differenceMs: number): string {
  return `${Math.round(Math.abs(differenceMs) / 1_000)} s`;
}
