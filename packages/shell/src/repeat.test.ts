import { FakeClock } from '@interlock/testkit';
import { expect, test } from 'vitest';
import { type RepeatOptions, repeat } from './repeat.ts';

const WAIT_MS = 1_000;

function options(clock: FakeClock, more: Partial<RepeatOptions> = {}) {
  const lines: string[] = [];
  const write = (_: object, message: string) => void lines.push(message);
  const log = { info: write, warn: write };
  return { lines, clock, log, task: 'counting', waitMs: WAIT_MS, ...more };
}

test('a task runs at once and after each wait, and no more once it is disposed of', async () => {
  const clock = new FakeClock();
  let runs = 0;
  const task = repeat(options(clock), async () => void runs++);
  await clock.advance(WAIT_MS - 1);
  expect(runs).toBe(1);
  await clock.advance(2 * WAIT_MS);
  expect(runs).toBe(3);
  await task[Symbol.asyncDispose]();
  await clock.advance(WAIT_MS);
  expect([runs, clock.sleepers]).toEqual([3, 0]);
});

test('a first wait and a wait that is asked for after each run are kept', async () => {
  const clock = new FakeClock();
  const runsAt: number[] = [];
  const waitMs = () => runsAt.length * 10;
  await using _task = repeat(
    options(clock, { firstWaitMs: 5, waitMs }),
    async () => void runsAt.push(clock.monotonicMs()),
  );
  await clock.advance(40);
  expect(runsAt).toEqual([5, 15, 35]);
});

test('disposing waits for the run under way, gives it an aborted signal, and starts no other', async () => {
  const clock = new FakeClock();
  const [begun, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const order: string[] = [];
  const task = repeat(options(clock), async (stopped) => {
    stopped.addEventListener('abort', () => order.push('stopped'));
    begun.resolve();
    await finish.promise;
    order.push('run ended');
  });
  await begun.promise;
  const disposed = task[Symbol.asyncDispose]().then(() => order.push('disposed'));
  task.wake();
  finish.resolve();
  await disposed;
  expect(order).toEqual(['stopped', 'run ended', 'disposed']);
});

test('a task that stops itself does not run again', async () => {
  const clock = new FakeClock();
  let runs = 0;
  const task = repeat(options(clock), async () => {
    runs += 1;
    await Promise.resolve();
    task.stop();
  });
  await clock.advance(WAIT_MS);
  expect([runs, clock.sleepers]).toEqual([1, 0]);
});

test('a wake ends the wait', async () => {
  const clock = new FakeClock();
  let runs = 0;
  await using task = repeat(options(clock), async () => void runs++);
  await clock.advance(0);
  task.wake();
  await clock.advance(0);
  expect(runs).toBe(2);
});

test('after a wake during a run another run follows without a wait', async () => {
  const clock = new FakeClock();
  const [begun, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let runs = 0;
  await using task = repeat(options(clock), async () => {
    runs += 1;
    begun.resolve();
    await finish.promise;
  });
  await begun.promise;
  task.wake();
  finish.resolve();
  await clock.advance(0);
  expect(runs).toBe(2);
});

test('a failure that lasts is logged once, and so is the recovery', async () => {
  const clock = new FakeClock();
  let broken = true;
  const { lines, ...rest } = options(clock);
  await using _task = repeat(rest, async () => {
    if (broken) throw new Error('broken');
  });
  await clock.advance(3 * WAIT_MS);
  expect(lines).toEqual(['counting failed and is repeated until it works']);
  broken = false;
  await clock.advance(2 * WAIT_MS);
  expect(lines.slice(1)).toEqual(['counting works again']);
  broken = true;
  await clock.advance(WAIT_MS);
  expect(lines.slice(2)).toEqual(['counting failed and is repeated until it works']);
});

test('a run that throws because it was stopped is not logged', async () => {
  const clock = new FakeClock();
  const { lines, ...rest } = options(clock);
  const task = repeat(rest, async (stopped) => await clock.sleep(WAIT_MS, stopped));
  await task[Symbol.asyncDispose]();
  expect(lines).toEqual([]);
});
