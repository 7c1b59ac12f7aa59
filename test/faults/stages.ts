/**
 * Calls in flight, one between each two steps of the lifecycle, all at once.
 *
 * A call stops where the owner of its next step is paused: its successor cannot be taken. Owners are paused from the
 * end of the line to its beginning, so that each call passes those before. Every stop is awaited in the streams.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ServiceName, Step } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { connectObserver, eventually, type Observer } from '@interlock/testkit';
import { z } from 'zod';
import type { Line } from '../line.ts';
import type { Journal, Wish } from './journal.ts';

/** Long against setting up every call, short against the claim of the tools below. */
const SLOW_MS = 4_000;
/** Claims outlast the setting up on a busy machine, and orphans settle while a test waits. */
const CLAIM_MS = 8_000;

/** What the tools of these tests say besides what they say anyway. */
export const stagedTools = {
  write: { claimMs: CLAIM_MS },
  ask: { claimMs: CLAIM_MS },
  slow: { claimMs: CLAIM_MS },
  idem: { claimMs: CLAIM_MS },
};

/** A line with an observer of its streams. */
export interface Stage extends AsyncDisposable {
  /** Waits until a stream holds the event of a wish's step, and returns the wish's call. */
  until(wish: Wish, step: Step, timeoutMs?: number): Promise<string>;
  /** The replica that claimed a call, once it did. */
  claimerOf(call: string): string | undefined;
  /** Pauses a process until `resumeAll`. */
  pause(service: ServiceName): void;
  /** Lets every paused process go on. */
  resumeAll(): void;
  readonly observer: Observer;
}

/** Connects an observer to the streams of a line. */
export async function openStage({ interlock }: Line): Promise<Stage> {
  const observer = await observe(interlock.data);
  const calls = new Map<string, { tenant: string; call: string }>();
  const claimers = new Map<string, string>();
  await observer.onPublished(({ step, address, text }) => {
    if (step === 'started') claimers.set(address.call, claimSchema.parse(JSON.parse(text)).executor);
    const [marker] = step === 'requested' ? (/wish_[A-Za-z0-9_-]+/.exec(text) ?? []) : [];
    if (marker !== undefined) calls.set(marker, address);
  });
  const paused = new Set<ServiceName>();
  return {
    observer,
    until: async (wish, step, timeoutMs) =>
      await eventually(async () => {
        const call = calls.get(wish.text);
        return call !== undefined && (await observer.holds(step, call)) && call.call;
      }, timeoutMs),
    claimerOf: (call) => claimers.get(call),
    pause: (service) => {
      paused.add(service);
      interlock.signal(service, 'SIGSTOP');
    },
    resumeAll: () => {
      for (const service of paused) interlock.signal(service, 'SIGCONT');
      paused.clear();
    },
    [Symbol.asyncDispose]: () => observer[Symbol.asyncDispose](),
  };
}

/** Which of the two goes last decides which of the two places before them holds a call. */
export type LastPaused = 'decider' | 'approver';

/**
 * Sends calls and leaves one at each place of the line; everybody from the approver to the broker is paused then.
 * Between `held` and `requested` of a question stands a call when the decider is paused last, between `resolved` and
 * `decided` when the approver is. The upstream has begun `slow` and `idem` and takes its time.
 * Returns when every call is in its place; `answered` resolves when the console knows what became of its answers.
 */
export async function fillLine(
  line: Line,
  stage: Stage,
  journal: Journal,
  last: LastPaused,
): Promise<{ answered: Promise<unknown> }> {
  const bob = line.person('bob');
  const [first, second, third] = await Promise.all([
    held(journal),
    held(journal),
    held(journal),
    held(journal),
  ]);
  const approve = ({ call }: { call: string }) => bob.answer(call, 'approve').catch(() => undefined);

  for (const name of ['slow', 'idem']) line.upstream.behave({ kind: 'delay', delayMs: SLOW_MS }, `/${name}`);
  const [slow, idem] = [journal.send('slow'), journal.send('idem')];
  await eventually(() => [slow, idem].every(({ text }) => arrived(line, text)));

  stage.pause('broker');
  await stage.until(journal.send('write'), 'started');
  stage.pause('executor');
  await stage.until(journal.send('write'), 'admitted');
  stage.pause('limiter');
  const answered = [approve(first)];
  await stage.until(journal.send('write'), 'decided');
  await stage.until(journal.send('write', { keyless: true }), 'decided');
  await stage.until(first.wish, 'resolved');
  if (last === 'decider') {
    stage.pause('approver');
    await stage.until(journal.send('ask'), 'held');
    stage.pause('decider');
  } else {
    stage.pause('decider');
    answered.push(approve(second));
    await stage.until(second.wish, 'resolved');
    stage.pause('approver');
  }
  answered.push(approve(third));
  await stage.until(third.wish, 'answered');
  await stage.until(journal.send('write'), 'requested');
  await stage.until(journal.send('write', { keyless: true }), 'requested');
  return { answered: Promise.all(answered) };
}

async function held(journal: Journal): Promise<{ wish: Wish; call: string }> {
  const wish = journal.send('ask');
  const answer = await wish.first;
  if (answer?.body.state !== 'held' || answer.body.call === undefined)
    throw new Error(`A question was expected, and not ${answer?.status} ${answer?.text}`);
  return { wish, call: answer.body.call };
}

function arrived({ upstream }: Line, text: string): boolean {
  return upstream.requests.some(({ body }) => body.includes(text));
}

const claimSchema = z.object({ executor: z.string() });
const portsSchema = z.object({ nats: z.int() });
const keysSchema = z.object({ busSeed: z.string() });

async function observe(data: string): Promise<Observer> {
  const read = async (file: string): Promise<unknown> =>
    JSON.parse(await readFile(path.join(data, file), 'utf8'));
  const { nats } = portsSchema.parse(await read('ports.json'));
  const { busSeed } = keysSchema.parse(await read('keys/provisioner.json'));
  return await connectObserver({ url: `nats://127.0.0.1:${nats}`, seed: new Secret(busSeed) });
}
