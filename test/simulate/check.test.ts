/** The checks find what they are for: each test takes a round that kept its promises, and breaks one of them. */
import type { AuditRecord } from '@interlock/contracts';
import { expect, test } from 'vitest';
import type { HttpAnswer } from '../http.ts';
import { type Breach, findingsOf, toldCalls } from './check.ts';
import { BUDGET, RATE, SLOW_AT_ONCE } from './installation.ts';
import type { Observed } from './observe.ts';
import type { Played } from './play.ts';
import { isBroken, reportOf } from './report.ts';
import type { Reply } from './schedule.ts';

const HASH = `sha256:${'0'.repeat(64)}`;

/** A round in which every promise was kept: one call of each tool was carried out, and one was refused. */
function keptRound(): Observed {
  const tools = ['write', 'idem', 'slow', 'ask', 'bare'] as const;
  const done = tools.map((tool) =>
    playedOf(tool, [answerOf(200, { call: `c_${tool}`, outcome: 'succeeded' })]),
  );
  const refused = playedOf('slow', [answerOf(429, { call: 'c_no', code: 'concurrency_limited' })], 'no');
  return {
    played: [...done, refused],
    recoveryMs: 100,
    recovering: [],
    setBacks: [],
    notStarted: [],
    startedMs: 0,
    tookMs: 10_000,
    effects: tools.map((tool, index) => effectOf(tool, `c_${tool}`, 1_000 * index)),
    records: [
      ...tools.flatMap((tool) => [
        recordOf(`c_${tool}`, 'started', {}),
        recordOf(`c_${tool}`, 'settled', { outcome: 'succeeded' }),
      ]),
      recordOf('c_no', 'refused', { code: 'concurrency_limited' }),
    ],
    verification: { intact: true, problems: [] },
  };
}

function playedOf(
  tool: Played['call']['tool'],
  answers: HttpAnswer[],
  name: string = tool,
  reply: Reply = 'approve',
): Played {
  const call = { atMs: 0, tool, text: `call-1-${name}.`, keyed: true, copies: 1, reply };
  return { call, answers, ended: true };
}

function answerOf(status: number, body: HttpAnswer['body']): HttpAnswer {
  return { status, body, headers: new Headers(), text: JSON.stringify(body) };
}

function effectOf(tool: string, call: string, atMs: number, name = tool) {
  return { body: JSON.stringify({ text: `call-1-${name}.` }), call, url: `/${tool}`, atMs };
}

function recordOf(call: string, step: string, event: AuditRecord['event']): AuditRecord {
  return { stream: 'LEDGER', sequence: 1, step, call, at: 1, event, hash: HASH };
}

const breachesOf = (seen: Observed) => findingsOf(seen).map(({ breach }) => breach);

test('a round that kept every promise has no findings', () => {
  expect(findingsOf(keptRound())).toEqual([]);
  expect(toldCalls(keptRound().played)).toEqual(
    new Set(['c_write', 'c_idem', 'c_slow', 'c_ask', 'c_bare', 'c_no']),
  );
});

test.each<[string, Breach[], (seen: Observed) => unknown]>([
  ['an effect is doubled', ['doubled'], (seen) => seen.effects.push(effectOf('write', 'c_write', 9))],
  [
    'an idempotent tool is asked under another call',
    ['doubled', 'unlogged'],
    (seen) => seen.effects.push(effectOf('idem', 'c_other', 9)),
  ],
  ['an effect is lost', ['lost'], (seen) => void seen.effects.splice(0, 1)],
  [
    'an answer denies what was done',
    ['false answer', 'unlogged'],
    (seen) => seen.played[0]?.answers.unshift(answerOf(503, { call: 'c_write', code: 'deadline_passed' })),
  ],
  [
    'an answer says failed of what was done',
    ['false answer', 'false answer', 'unlogged'],
    (seen) => seen.played[0]?.answers.unshift(answerOf(200, { call: 'c_write', outcome: 'failed' })),
  ],
  [
    'an answer is an error of Interlock',
    ['false answer'],
    (seen) => seen.played[0]?.answers.unshift(answerOf(500, { code: 'internal' })),
  ],
  [
    'an agent is told that its own call is unknown',
    ['false answer'],
    (seen) => seen.played[5]?.answers.unshift(answerOf(404, { call: 'c_no', code: 'call_unknown' })),
  ],
  ['an outcome is not in the audit', ['unlogged'], (seen) => void seen.records.splice(1, 1)],
  ['a claim is not in the audit', ['unlogged'], (seen) => void seen.records.splice(0, 1)],
  ['a refusal is not in the audit', ['unlogged'], (seen) => void seen.records.pop()],
  [
    'the audit has another outcome than was told',
    ['unlogged'],
    (seen) => void seen.records.splice(1, 1, recordOf('c_write', 'settled', { outcome: 'unknown' })),
  ],
  [
    'the audit is not intact',
    ['audit'],
    (seen) => Object.assign(seen, { verification: { intact: false, problems: [] } }),
  ],
  ['the audit cannot be verified', ['audit'], (seen) => Object.assign(seen, { verification: undefined })],
  [
    'a call does not end',
    ['stuck'],
    (seen) => void seen.played.push({ ...playedOf('write', [], 'open'), ended: false }),
  ],
  ['what a person denied is done', ['unapproved'], (seen) => replied(seen, 'deny')],
  ['what nobody answered is done', ['unapproved'], (seen) => replied(seen, 'none')],
  ['a budget is exceeded', ['over limit'], (seen) => take(seen, 'bare', BUDGET, () => 5_000)],
  ['more run at once than may', ['over limit'], (seen) => take(seen, 'slow', SLOW_AT_ONCE, () => 2_100)],
  [
    'more start than a rate allows',
    ['over limit'],
    (seen) => take(seen, 'idem', RATE.calls + 20, (at) => at),
  ],
  ['it does not start again', ['not started'], (seen) => void seen.notStarted.push('power-cut everything')],
])('when %s, that is found', (_words, expected, broken) => {
  const seen = keptRound();
  broken(seen);
  expect(breachesOf(seen)).toEqual(expected);
});

/** Has the question of the call to `ask` end another way than it was carried out. */
function replied(seen: Observed, reply: Reply) {
  for (const { call } of seen.played) if (call.tool === 'ask') call.reply = reply;
}

/** Has so many more calls of a tool carried out, properly. */
function take(seen: Observed, tool: Played['call']['tool'], count: number, atMs: (index: number) => number) {
  for (let index = 0; index < count; index += 1) {
    const call = `c_${tool}_${index}`;
    const name = `${tool}-${index}`;
    seen.played.push(playedOf(tool, [answerOf(200, { call, outcome: 'succeeded' })], name));
    seen.effects.push(effectOf(tool, call, atMs(index), name));
    seen.records.push(recordOf(call, 'started', {}), recordOf(call, 'settled', { outcome: 'succeeded' }));
  }
}

test('after NATS was set back, what was made before may be done once more and no more, and what was made after only once', () => {
  const seen = keptRound();
  seen.setBacks = [{ server: 'nats-server', copiedAtMs: 100, putBackAtMs: 2_000 }];
  seen.effects.push(effectOf('write', 'c_write', 3_000));
  expect(breachesOf(seen)).toEqual([]);
  seen.effects.push(effectOf('write', 'c_write', 4_000));
  expect(breachesOf(seen)).toEqual(['doubled after a set back']);
  seen.played = seen.played.map((one) => ({ ...one, call: { ...one.call, atMs: 2_500 } }));
  expect(breachesOf(seen)).toEqual(['doubled']);
});

test('after FerretDB was set back, the audit may lack records and must say so', () => {
  const seen = keptRound();
  seen.setBacks = [{ server: 'ferretdb', copiedAtMs: 100, putBackAtMs: 2_000 }];
  seen.records.pop();
  expect(breachesOf(seen)).toEqual(['unlogged after a set back']);
  seen.verification = { intact: false, problems: ['missing'] };
  expect(breachesOf(seen)).toEqual([]);
});

test('after Redis was set back, a budget may be spent once more and no more', () => {
  const seen = keptRound();
  seen.setBacks = [{ server: 'redis-server', copiedAtMs: 100, putBackAtMs: 2_000 }];
  take(seen, 'bare', 2 * BUDGET - 1, () => 5_000);
  expect(breachesOf(seen)).toEqual([]);
  take(seen, 'bare', 2 * BUDGET, () => 5_000);
  expect(new Set(breachesOf(seen))).toContain('over limit after a set back');
});

test('a report names the seed of what broke with the command that repeats it, and is passed only when nothing did', () => {
  const round = {
    seed: 3,
    calls: 9,
    recoveryMs: 10,
    recovery: '',
    faults: [],
    kinds: [],
    leftOut: [],
    findings: [],
  };
  expect(reportOf([round], ['--calls 9'])).toMatchObject({ passed: true, broken: [] });
  const slow = { ...round, seed: 4, recoveryMs: 10_001 };
  const lost = { ...round, seed: 5, findings: [{ breach: 'lost' as const, text: 'call-5-1.', story: '' }] };
  expect([round, slow, lost].map(isBroken)).toEqual([false, true, true]);
  const report = reportOf([round, slow, lost], ['--calls 9', '--faults kill']);
  expect(report.passed).toBe(false);
  expect(report.checks.filter(({ met }) => !met).map(({ name }) => name)).toEqual([
    'lost',
    'slowest recovery',
  ]);
  expect(report.broken.map(({ repeat }) => repeat)).toEqual([
    'npm run simulate -- --seed 4 --calls 9 --faults kill',
    'npm run simulate -- --seed 5 --calls 9 --faults kill',
  ]);
});
