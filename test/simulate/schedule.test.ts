import { expect, test } from 'vitest';
import { drawSchedule, faultKinds } from './schedule.ts';

const options = { calls: 300, kinds: faultKinds };

test('a seed draws the same calls and faults every time, and another seed draws others', () => {
  expect(drawSchedule(7, options)).toEqual(drawSchedule(7, options));
  expect(drawSchedule(8, options)).not.toEqual(drawSchedule(7, options));
});

test('only the kinds of faults that were asked for are drawn, in the order of their time', () => {
  for (let seed = 1; seed <= 50; seed += 1) {
    const { faults } = drawSchedule(seed, { calls: 100, kinds: ['kill', 'cut'] });
    expect(faults.filter(({ kind }) => kind !== 'kill' && kind !== 'cut')).toEqual([]);
    expect(faults.map(({ atMs }) => atMs)).toEqual(faults.map(({ atMs }) => atMs).sort((a, b) => a - b));
  }
});

test('every kind of call and of fault comes up within fifty seeds, and each call has a text of its own', () => {
  const rounds = Array.from({ length: 50 }, (_, index) => drawSchedule(index + 1, options));
  const calls = rounds.flatMap((round) => round.calls);
  expect(new Set(calls.map(({ text }) => text)).size).toBe(calls.length);
  expect(new Set(calls.map(({ tool }) => tool)).size).toBe(5);
  expect(new Set(calls.map(({ reply }) => reply)).size).toBe(5);
  expect(new Set(rounds.flatMap(({ faults }) => faults.map(({ kind }) => kind))).size).toBe(
    faultKinds.length,
  );
});

test('a round has no end that waits for questions that nobody answers: they are put in its first fifth', () => {
  const { calls } = drawSchedule(9, options);
  const last = Math.max(...calls.map(({ atMs }) => atMs));
  const unanswered = calls.filter(({ tool, reply }) => tool === 'ask' && reply === 'none');
  expect(unanswered).not.toEqual([]);
  expect(unanswered.filter(({ atMs }) => atMs > last / 3)).toEqual([]);
});
