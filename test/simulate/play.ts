/** Plays a schedule on an installation: makes the calls and the faults when they are due, and keeps every answer. */
import { faults as faultCodes } from '@interlock/contracts';
import { systemClock } from '@interlock/shell';
import type { HttpAnswer } from '../http.ts';
import type { Line } from '../line.ts';
import { Faults, type SetBack } from './faults.ts';
import type { Installation } from './installation.ts';
import type { PlannedCall, PlannedFault, Schedule } from './schedule.ts';

/** A call may wait for its own limit, a claim's and a question's before it ends. */
const END_MS = 100_000;
/** An agent that has a key gives up a request after this long, and sends it again. */
const PATIENCE_MS = 8_000;
const RECOVERY_ATTEMPT_MS = 2_000;
const RECOVERY_GIVE_UP_MS = 30_000;
const RECOVERY_POLL_MS = 100;
const REPEAT_FIRST_MS = 200;
const REPEAT_MAX_MS = 2_000;
const REPEATS_AT_ONCE = 16;
const LOOK_UP_SECONDS = 2;

/** A call that was made, with every answer it got. */
export interface Played {
  call: PlannedCall;
  answers: HttpAnswer[];
  /** True once its outcome is known for good. */
  ended: boolean;
}

export interface Outcome {
  played: Played[];
  /** From the end of the last fault until a call was carried out and another was held. */
  recoveryMs: number;
  /** What was told until then. */
  recovering: HttpAnswer[];
  setBacks: readonly SetBack[];
  /** Faults that this machine cannot make. */
  leftOut: PlannedFault[];
  /** What did not start again after a fault that ended it. */
  notStarted: string[];
  /** When the round began, on the monotonic clock, and how long it took until the last answer. */
  startedMs: number;
  tookMs: number;
}

/**
 * Plays a round to its end: every fault is over, and every call has ended or had its time. Where it is given up, it rejects
 * once nothing of it runs any more.
 */
export async function play(
  schedule: Schedule,
  installation: Installation,
  signal: AbortSignal,
): Promise<Outcome> {
  const { line } = installation;
  const startedMs = performance.now();
  const until = (atMs: number) => pause(startedMs + atMs - performance.now(), signal);
  const faults = new Faults(installation, signal);
  const notStarted: string[] = [];
  const leftOut: PlannedFault[] = [];
  const agents = schedule.calls.map(async (call) => {
    await until(call.atMs);
    const played: Played = { call, answers: [], ended: false };
    await new Agent(line, played, faults, signal).untilEnded();
    return played;
  });
  const made = schedule.faults.map(async (fault) => {
    await until(fault.atMs);
    const could = await faults.make(fault).catch((error: unknown) => {
      signal.throwIfAborted();
      notStarted.push(`${fault.kind} ${fault.target}: ${error instanceof Error ? error.message : 'failed'}`);
      return true;
    });
    if (!could) leftOut.push(fault);
  });
  // Those that are waited for later may fail now, where the round is given up.
  for (const one of agents) one.catch(() => undefined);
  await settled(made, signal);
  for (const link of installation.links.values()) link.resume();
  faults.over = true;
  const recovery = await recover(line, signal);
  const played = await settled(agents, signal);
  await askAgain(played, line, signal);
  const tookMs = performance.now() - startedMs;
  return { played, ...recovery, setBacks: faults.setBacks, leftOut, notStarted, startedMs, tookMs };
}

/** Waits for all, also where one fails, and throws what ended the round. */
async function settled<T>(all: readonly Promise<T>[], signal: AbortSignal): Promise<T[]> {
  await Promise.allSettled(all);
  signal.throwIfAborted();
  return await Promise.all(all);
}

/** An agent that makes one call, and those who answer its question. */
class Agent {
  readonly #line: Line;
  readonly #played: Played;
  readonly #faults: Pick<Faults, 'over'>;
  readonly #signal: AbortSignal;
  /** The calls whose question was answered: under a key a call that was refused for a while is followed by another. */
  readonly #replied = new Set<string>();

  constructor(line: Line, played: Played, faults: Pick<Faults, 'over'>, signal: AbortSignal) {
    this.#line = line;
    this.#played = played;
    this.#faults = faults;
    this.#signal = signal;
  }

  /** Sends the call, and repeats it under its key or asks for it by its id until it has ended. */
  async untilEnded(): Promise<void> {
    const { call } = this.#played;
    const endMs = performance.now() + END_MS;
    await Promise.all(Array.from({ length: call.copies }, () => this.#send()));
    for (let waitMs = REPEAT_FIRST_MS; !this.#hasEnded(); waitMs = Math.min(waitMs * 2, REPEAT_MAX_MS)) {
      if (performance.now() > endMs) return;
      await this.#reply();
      await pause(waitMs, this.#signal);
      await this.#ask();
    }
    this.#played.ended = true;
  }

  #hasEnded(): boolean {
    const { call, answers } = this.#played;
    const last = answers.at(-1);
    if (last !== undefined && isFinal(last, call.keyed)) return true;
    // Without a key nothing more can be asked of a call whose id was never told.
    return !call.keyed && this.#id() === undefined;
  }

  #id(): string | undefined {
    return this.#played.answers.findLast(({ body }) => body.call !== undefined)?.body.call;
  }

  async #ask(): Promise<void> {
    const id = this.#id();
    const isHeld = this.#played.answers.at(-1)?.status === 202;
    if (id !== undefined && (isHeld || !this.#played.call.keyed)) await this.#lookUp(id);
    else await this.#send();
  }

  async #send(): Promise<void> {
    const { call, answers } = this.#played;
    await keep(answers, this.#signal, () => sendCall(call, this.#line, this.#signal));
  }

  async #lookUp(id: string): Promise<void> {
    await keep(this.#played.answers, this.#signal, () =>
      this.#line.getCall(id, { waitSeconds: LOOK_UP_SECONDS, signal: this.#signal }),
    );
  }

  /** Answers the question of a held call, once. An answer that was not taken is given again. */
  async #reply(): Promise<void> {
    const { call, answers } = this.#played;
    const [verdict, late] = call.reply.split(' ');
    const id = this.#id();
    if (answers.at(-1)?.body.state !== 'held' || id === undefined || this.#replied.has(id)) return;
    if ((verdict !== 'approve' && verdict !== 'deny') || (late === 'late' && !this.#faults.over)) return;
    this.#replied.add(id);
    await this.#line
      .person('bob')
      .answer(id, verdict)
      .catch(() => this.#replied.delete(id));
  }
}

/** Sends every call that was carried out once more under its key: its outcome is what it was, whatever happened since. */
async function askAgain(all: readonly Played[], line: Line, signal: AbortSignal): Promise<void> {
  const waiting = all.filter(({ call, answers }) => call.keyed && answers.at(-1)?.body.outcome !== undefined);
  const next = async (): Promise<void> => {
    for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
      const { call, answers } = one;
      await keep(answers, signal, () => sendCall(call, line, signal));
    }
  };
  await settled(Array.from({ length: REPEATS_AT_ONCE }, next), signal);
}

async function sendCall(
  { tool, text, keyed }: PlannedCall,
  line: Line,
  round: AbortSignal,
): Promise<HttpAnswer> {
  const args = tool === 'bare' ? { text, amount: 1 } : { text };
  if (!keyed) return await line.call(tool, args, { signal: round });
  const signal = AbortSignal.any([round, AbortSignal.timeout(PATIENCE_MS)]);
  return await line.call(tool, args, { idempotencyKey: text.replace('.', ''), signal });
}

/** Keeps an answer. A connection that breaks is none. */
async function keep(
  answers: HttpAnswer[],
  signal: AbortSignal,
  ask: () => Promise<HttpAnswer>,
): Promise<void> {
  try {
    answers.push(await ask());
  } catch {
    signal.throwIfAborted();
  }
}

/** Nothing else can come of a call any more; under a key, what may pass by itself is tried again. */
function isFinal({ status, body }: HttpAnswer, keyed: boolean): boolean {
  if (status === 200) return body.outcome !== undefined;
  if (status === 503) return !keyed || !mayPass(body.code);
  return status >= 400 && status <= 500;
}

function mayPass(code = ''): boolean {
  return Object.entries(faultCodes).some(([name, { retryable }]) => name === code && retryable);
}

async function recover(line: Line, signal: AbortSignal): Promise<Pick<Outcome, 'recoveryMs' | 'recovering'>> {
  const startedMs = performance.now();
  const recovering: HttpAnswer[] = [];
  const works = async (tool: 'write' | 'ask', state: 'outcome' | 'state', value: string) => {
    const attempt = AbortSignal.any([signal, AbortSignal.timeout(RECOVERY_ATTEMPT_MS)]);
    const told = recovering.length;
    await keep(recovering, signal, () => line.call(tool, { text: 'recovered' }, { signal: attempt }));
    return recovering[told]?.body[state] === value;
  };
  while (performance.now() - startedMs < RECOVERY_GIVE_UP_MS) {
    if ((await works('write', 'outcome', 'succeeded')) && (await works('ask', 'state', 'held'))) break;
    await pause(RECOVERY_POLL_MS, signal);
  }
  return { recoveryMs: Math.round(performance.now() - startedMs), recovering };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await systemClock.sleep(Math.max(0, ms), signal);
}
