/** Every kind of fault, on one installation, with a few calls under way. `npm run simulate` draws many of them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findingsOf, toldCalls } from './check.ts';
import { type Installation, startInstallation } from './installation.ts';
import { observe } from './observe.ts';
import { play } from './play.ts';
import type { PlannedCall, PlannedFault } from './schedule.ts';

const START_MS = 150_000;
/** A call may take its own limit, that of a claim and that of a question to end. */
const END_MS = 200_000;
const never = new AbortController().signal;

let installation: Installation;
beforeAll(async () => {
  installation = await startInstallation(never);
}, START_MS);
afterAll(() => installation?.[Symbol.asyncDispose](), START_MS);

const HOUR_MS = 3_600_000;
/** How long each fault lasts, and how old a copy is that is put back. */
const FAULT_MS = 800;
/** From one fault to the next. */
const EVERY_MS = 1_000;

const faultOf = (kind: PlannedFault['kind'], target: string, offsetMs = 0) => ({ kind, target, offsetMs });

/** Calls of every kind: they meet the fault, or come right after it. */
const calls: readonly Omit<PlannedCall, 'text'>[] = [
  { atMs: 0, tool: 'slow', keyed: true, copies: 1, reply: 'none' },
  { atMs: 20, tool: 'ask', keyed: true, copies: 1, reply: 'approve' },
  { atMs: 80, tool: 'write', keyed: true, copies: 3, reply: 'none' },
  { atMs: 90, tool: 'write', keyed: false, copies: 1, reply: 'none' },
  { atMs: 100, tool: 'idem', keyed: true, copies: 1, reply: 'none' },
  { atMs: 150, tool: 'ask', keyed: false, copies: 1, reply: 'deny late' },
  { atMs: 400, tool: 'write', keyed: true, copies: 1, reply: 'none' },
];

test.each([
  [
    'processes and their connections',
    [
      faultOf('kill', 'executor'),
      faultOf('pause', 'decider'),
      faultOf('cut', 'ingress'),
      faultOf('stall', 'executor'),
      faultOf('kill', 'nats-server'),
    ],
  ],
  [
    'the disk, the clocks and Redis',
    [
      faultOf('slow-disk', 'everything'),
      faultOf('clock', 'executor', 24 * HOUR_MS),
      faultOf('clock', 'ingress', -2 * HOUR_MS),
      faultOf('empty-redis', 'redis-server'),
    ],
  ],
  ['the power', [faultOf('power-cut', 'everything')]],
  [
    'stores that are set back',
    [
      faultOf('set-back', 'redis-server'),
      faultOf('set-back', 'ferretdb'),
      faultOf('set-back', 'nats-server'),
    ],
  ],
])(
  '[P-holds-under-faults] faults of %s break no promise while calls are under way',
  async (words, planned) => {
    const faults = planned.map((fault, index) => {
      const atMs = 100 + index * EVERY_MS;
      return { ...fault, atMs, forMs: fault.kind === 'kill' ? 0 : FAULT_MS };
    });
    const under = faults.flatMap((fault, round) =>
      calls.map((call, index) => {
        const text = `call-${words.replaceAll(' ', '-')}-${round}-${index}.`;
        return { ...call, atMs: fault.atMs - 100 + call.atMs, text };
      }),
    );
    const outcome = await play({ seed: 0, calls: under, faults }, installation, never);
    // Without a file system of its own no power can be cut, and nothing else is left out.
    const cannot = installation.volume === undefined ? faults.filter(({ kind }) => kind === 'power-cut') : [];
    expect(outcome.leftOut).toEqual(cannot);
    const seen = await observe(outcome, toldCalls(outcome.played), installation.line);
    expect(findingsOf(seen)).toEqual([]);
  },
  END_MS,
);
