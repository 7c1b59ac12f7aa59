import { expect, test } from 'vitest';
import { FakeClock } from './clock.ts';

test('a sleep that is aborted rejects with the reason and is forgotten', async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const sleep = clock.sleep(1_000, stop.signal);
  stop.abort(new Error('enough'));
  await expect(sleep).rejects.toThrow('enough');
  expect(clock.sleepers).toBe(0);
});

test('a sleep under a signal that is aborted already never begins', async () => {
  await expect(new FakeClock().sleep(1, AbortSignal.abort(new Error('too late')))).rejects.toThrow(
    'too late',
  );
});

test('a sleeper is not woken a millisecond early', async () => {
  const clock = new FakeClock();
  let awake = false;
  void clock.sleep(1_000).then(() => {
    awake = true;
  });
  await clock.advance(999);
  expect(awake).toBe(false);
  await clock.advance(1);
  expect(awake).toBe(true);
});

test('sleepers wake in the order of their times and see their own time', async () => {
  const clock = new FakeClock(0);
  const seen: number[] = [];
  const note = () => seen.push(clock.nowMs());
  void clock.sleep(300).then(note);
  void clock.sleep(100).then(async () => {
    note();
    await clock.sleep(100);
    note();
  });
  await clock.advance(1_000);
  expect(seen).toEqual([100, 200, 300]);
  expect([clock.nowMs(), clock.monotonicMs()]).toEqual([1_000, 1_000]);
});
