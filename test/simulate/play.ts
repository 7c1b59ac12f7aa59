/** Plays a schedule on an installation: makes the calls and the faults when they are due, and keeps every answer. */
import { systemClock } from '@interlock/shell';
import { eventually, limitWrites } from '@interlock/testkit';
import { emptyRedis } from '../faults/redis.ts';
import type { HttpAnswer } from '../http.ts';
import type { Line } from '../line.ts';
import type { Installation } from './installation.ts';
import type { PlannedCall, PlannedFault, Schedule } from './schedule.ts';

/** A call may wait for its own limit, a claim's and a question's before it ends. */
const END_MS = 100_000;
const RECOVERY_ATTEMPT_MS = 2_000;
const RECOVERY_GIVE_UP_MS = 30_000;
const POLL_MS = 100;

/** A call that was made, with every answer it got. */
export interface Played {
  call: PlannedCall;
  answers: HttpAnswer[];
  /** True once its outcome is known for good. */
  ended: boolean;
}

export interface Outcome {
  played: Played[];
  /** From the end of the last fault to the first call that succeeded. */
  recoveryMs: number;
}

/** Plays a round to its end: every fault is over, and every call has ended or had its time. */
export async function play(schedule: Schedule, installation: Installation): Promise<Outcome> {
  const startedMs = performance.now();
  const until = async (atMs: number) =>
    await systemClock.sleep(Math.max(0, startedMs + atMs - performance.now()));
  const calls = schedule.calls.map(async (call) => {
    await until(call.atMs);
    return await makeCall(call, installation.line);
  });
  const faults = schedule.faults.map(async (fault) => {
    await until(fault.atMs);
    await makeFault(fault, installation);
  });
  await Promise.all(faults);
  for (const link of installation.links.values()) link.resume();
  const recoveryMs = await recover(installation.line);
  const played = await Promise.all(calls);
  await Promise.all(played.map((one) => end(one, installation.line)));
  return { played, recoveryMs };
}

async function makeCall(call: PlannedCall, line: Line): Promise<Played> {
  const played: Played = { call, answers: [], ended: false };
  await Promise.all(Array.from({ length: call.copies }, () => send(played, line)));
  return played;
}

/** Sends a call once more. A connection that breaks is no answer. */
async function send({ call, answers }: Played, line: Line): Promise<HttpAnswer | undefined> {
  const { tool, text, keyed } = call;
  const args = tool === 'bare' ? { text, amount: 1 } : { text };
  return await keep(answers, () =>
    line.call(tool, args, keyed ? { idempotencyKey: text.replace('.', '') } : {}),
  );
}

async function keep(answers: HttpAnswer[], ask: () => Promise<HttpAnswer>): Promise<HttpAnswer | undefined> {
  try {
    const answer = await ask();
    answers.push(answer);
    return answer;
  } catch {
    return undefined;
  }
}

/** Repeats a call under its key, or asks for it by its id, until it has ended. */
async function end(played: Played, line: Line): Promise<void> {
  const { call, answers } = played;
  const replied = new Set<string>();
  await eventually(async () => {
    const last = answers.at(-1);
    const id = answers.findLast(({ body }) => body.call !== undefined)?.body.call;
    if (last !== undefined && isFinal(last)) played.ended = true;
    // Without a key nothing more can be asked of a call whose id was never told.
    else if (!call.keyed && id === undefined) played.ended = true;
    if (played.ended) return true;
    if (last?.body.state === 'held' && id !== undefined && call.reply !== 'none' && !replied.has(id)) {
      replied.add(id);
      await line
        .person('bob')
        .answer(id, call.reply)
        .catch(() => replied.delete(id));
    }
    if (id !== undefined && last?.status === 202)
      await keep(answers, () => line.getCall(id, { waitSeconds: 2 }));
    else if (call.keyed) await send(played, line);
    else if (id !== undefined) await keep(answers, () => line.getCall(id, { waitSeconds: 2 }));
    await systemClock.sleep(POLL_MS);
    return false;
  }, END_MS).catch(() => undefined);
}

/** Nothing else can come of a call any more. */
function isFinal({ status, body }: HttpAnswer): boolean {
  if (status === 200) return body.outcome !== undefined;
  return status >= 400 && status < 500 && status !== 429;
}

async function makeFault({ kind, target, forMs }: PlannedFault, installation: Installation): Promise<void> {
  const { line, links } = installation;
  const { interlock } = line;
  switch (kind) {
    case 'kill':
      return signal(line, target, 'SIGKILL');
    case 'pause':
      signal(line, target, 'SIGSTOP');
      await systemClock.sleep(forMs);
      return signal(line, target, 'SIGCONT');
    case 'cut':
      return links.get(target)?.cut();
    case 'stall':
      links.get(target)?.stall();
      await systemClock.sleep(forMs);
      return links.get(target)?.resume();
    case 'empty-redis':
      // A server that is down or paused right now has nothing to forget.
      return await emptyRedis(line).catch(() => undefined);
    case 'disk-full': {
      const pid = interlock.servers.find(({ name }) => name === target)?.pid;
      if (pid === undefined) return;
      await limitWrites(pid, 'nothing').catch(() => undefined);
      await systemClock.sleep(forMs);
      return await limitWrites(pid, 'everything').catch(() => undefined);
    }
    default:
      return kind satisfies never;
  }
}

/** A process that is just being started again has nothing to be signalled. */
function signal({ interlock }: Line, name: string, which: NodeJS.Signals): void {
  try {
    interlock.signal(name, which);
  } catch {
    return;
  }
}

async function recover(line: Line): Promise<number> {
  const startedMs = performance.now();
  while (performance.now() - startedMs < RECOVERY_GIVE_UP_MS) {
    const signal = AbortSignal.timeout(RECOVERY_ATTEMPT_MS);
    const answer = await line.call('write', { text: 'recovered' }, { signal }).catch(() => undefined);
    if (answer?.body.outcome === 'succeeded') break;
    await systemClock.sleep(POLL_MS);
  }
  return Math.round(performance.now() - startedMs);
}
