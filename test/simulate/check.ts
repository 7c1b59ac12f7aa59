/**
 * What must hold of a round, from what was seen of it outside: what agents were told, what the upstream was asked for, and
 * what the audit shows to an operator.
 *
 * Where a store was set back to an older copy, what was written after the copy is gone, and no service can know it
 * (SECURITY.md). Less is promised then, and that is checked:
 *
 * B1. NATS: a call that was made before a copy was put back may be carried out once more for each copy, and its answers
 *     may differ. The audit may lack what happened after the copy was taken.
 * B2. Redis: what was taken from a limit after the copy may be taken once more for each copy.
 * B3. FerretDB: records may be missing from the audit, and its verification says so.
 */
import type { HttpAnswer } from '../http.ts';
import { BUDGET, RATE, SLOW_AT_ONCE, SLOW_MS } from './installation.ts';
import type { Effect, Observed } from './observe.ts';
import type { Played } from './play.ts';

export const breaches = [
  'lost',
  'doubled',
  'unlogged',
  'false answer',
  'stuck',
  'unapproved',
  'over limit',
  'audit',
  'not started',
  'doubled after a set back',
  'over limit after a set back',
  'unlogged after a set back',
] as const;
export type Breach = (typeof breaches)[number];

/** A promise that a round broke, with its story. */
export interface Finding {
  breach: Breach;
  text: string;
  story: string;
}

/** Timers of the upstream may end a little early. */
const TIMER_MS = 15;
/** These say that Interlock itself failed, which no fault of a round may come to. */
const OUR_FAULTS = ['internal', 'poison', 'statement_invalid'];

/** Returns what a round broke. */
export function findingsOf(seen: Observed): Finding[] {
  return [
    ...seen.played.flatMap((played) => findingsOfCall(played, seen)),
    ...overLimit(seen),
    ...auditFindings(seen),
    ...seen.notStarted.map((story) => ({ breach: 'not started' as const, text: '', story })),
  ];
}

/** Returns the calls of which agents were told how they ended. */
export function toldCalls(played: readonly Played[]): Set<string> {
  return new Set(
    played.flatMap(({ answers }) => answers.filter(tellsEnd).flatMap(({ body }) => body.call ?? [])),
  );
}

function findingsOfCall(played: Played, seen: Observed): Finding[] {
  const { call, answers, ended } = played;
  // B1
  const copies = natsPutBackAfter(played, seen);
  const effects = seen.effects.filter(({ body }) => body.includes(call.text));
  const story = `${call.tool}${call.keyed ? ' keyed' : ''}: ${storyOf(answers)}; effects: ${effects.length} of ${new Set(effects.map((one) => one.call)).size} calls`;
  const findings: Finding[] = [];
  const found = (breach: Breach, why: string) =>
    void findings.push({ breach, text: call.text, story: `${why}; ${story}` });

  if (!ended) found('stuck', 'it did not end');
  // The upstream of an idempotent tool may be asked again for the same call.
  const done = (call.tool === 'idem' ? firstsOf(effects) : effects).length;
  if (copies === 0 && done > 1) found('doubled', 'it was done more than once');
  if (copies > 0 && done > 1 + copies)
    found('doubled after a set back', `it was done ${done} times, and NATS was set back ${copies} times`);
  if (call.tool === 'ask' && !call.reply.startsWith('approve') && effects.length > 0)
    found('unapproved', 'nobody approved it');
  const lies = answers.flatMap((answer) => lieOf(answer, answers, call.keyed, effects));
  if (copies === 0) for (const why of new Set(lies)) found('false answer', why);
  const lost = answers.some(({ body }) => body.outcome === 'succeeded') && effects.length === 0;
  if (lost) found('lost', 'it was told as done');
  const missing = [...answers.flatMap((one) => unloggedAnswer(one, seen)), ...unclaimed(effects, seen)];
  const logged = unloggedAs(seen);
  if (logged !== undefined) for (const why of new Set(missing)) found(logged, why);
  return findings;
}

/** Returns how many copies of NATS were put back after a call was made. */
function natsPutBackAfter({ call }: Played, { setBacks, startedMs }: Observed): number {
  return setBacks.filter(
    ({ server, putBackAtMs }) => server === 'nats-server' && startedMs + call.atMs <= putBackAtMs,
  ).length;
}

function firstsOf(effects: readonly Effect[]): Effect[] {
  return effects.filter(({ call }, index) => effects.findIndex((one) => one.call === call) === index);
}

/** Returns what an answer says that is not so. */
function lieOf(
  { status, body }: HttpAnswer,
  all: readonly HttpAnswer[],
  keyed: boolean,
  effects: readonly Effect[],
): string[] {
  const { call, outcome, code = '' } = body;
  const own = effects.filter((effect) => call === undefined || effect.call === call);
  // Under a key, an answer that names no call speaks of its own request alone.
  const denies = (status === 503 || (status >= 400 && status < 500)) && !(call === undefined && keyed);
  const outcomes = all.flatMap((one) => (one.body.call === call ? (one.body.outcome ?? []) : []));
  return [
    ...(denies && own.length > 0 ? [`${status} ${code} was told of what was done`] : []),
    ...(outcome === 'failed' && own.length > 0 ? ['it was told as failed, and was done'] : []),
    ...(call !== undefined && new Set(outcomes).size > 1
      ? [`one call was told as ${outcomes.join(', ')}`]
      : []),
    ...(status === 500 || OUR_FAULTS.includes(code) ? [`${status} ${code} was told`] : []),
    ...(code === 'call_unknown' ? ['its own agent was told that it is unknown'] : []),
  ];
}

/** How a call ended, as an answer tells it: 504 and what is not yet known tell nothing. */
function tellsEnd({ status, body }: HttpAnswer): boolean {
  if (status === 200) return body.outcome !== undefined;
  return status >= 400 && status < 504 && body.code !== 'call_unknown';
}

/** Returns whether the audit lacks the end that an answer told. */
function unloggedAnswer(answer: HttpAnswer, seen: Observed): string[] {
  const { status, body } = answer;
  if (body.call === undefined || !tellsEnd(answer)) return [];
  const step = status === 200 ? 'settled' : 'refused';
  const told = status === 200 ? body.outcome : body.code;
  const record = seen.records.find((one) => one.call === body.call && one.step === step);
  const audited = record?.event['outcome'] ?? record?.event['code'];
  return audited === told ? [] : [`told ${told}, and the audit has ${audited ?? 'nothing'}`];
}

/** Returns effects without a claim in the audit. */
function unclaimed(effects: readonly Effect[], seen: Observed): string[] {
  return effects
    .filter(({ call }) => !seen.records.some((one) => one.call === call && one.step === 'started'))
    .map(({ call }) => `${call || 'a call without a name'} was done, and the audit has no claim of it`);
}

/** Returns what it is when the audit lacks something; undefined where it may (B1, B3). */
function unloggedAs({ setBacks, verification }: Observed): Breach | undefined {
  if (setBacks.some(({ server }) => server === 'nats-server')) return undefined;
  if (!setBacks.some(({ server }) => server === 'ferretdb')) return 'unlogged';
  return verification?.intact === true ? 'unlogged after a set back' : undefined;
}

function auditFindings({ verification, setBacks }: Observed): Finding[] {
  const found = (story: string): Finding[] => [{ breach: 'audit', text: '', story }];
  if (verification === undefined) return found('it could not be verified');
  // B1, B3
  if (verification.intact || setBacks.some(({ server }) => server !== 'redis-server')) return [];
  return found(`it is not intact: ${verification.problems.join(', ')}`);
}

function overLimit({ effects, setBacks, tookMs }: Observed): Finding[] {
  const at = (url: string) => effects.filter((one) => one.url === url && one.body.includes('call-'));
  // B1, B2
  const times = 1 + setBacks.filter(({ server }) => server !== 'ferretdb').length;
  const breach = times > 1 ? 'over limit after a set back' : 'over limit';
  const found = (story: string): Finding => ({ breach, text: '', story });
  const findings: Finding[] = [];
  const paid = at('/bare').length;
  if (paid > BUDGET * times) findings.push(found(`${paid} were paid, and ${BUDGET * times} may be`));
  const idem = firstsOf(at('/idem')).length;
  const started = RATE.calls * times + Math.ceil((tookMs / RATE.windowMs) * RATE.calls);
  if (idem > started) findings.push(found(`${idem} of a rate were started, and ${started} may be`));
  const atOnce = mostWithin(
    SLOW_MS - TIMER_MS,
    at('/slow').map(({ atMs }) => atMs),
  );
  if (atOnce > SLOW_AT_ONCE * times)
    findings.push(found(`${atOnce} ran at once, and ${SLOW_AT_ONCE * times} may`));
  return findings;
}

/** Returns how many instants at most lie within any span of that length. */
function mostWithin(spanMs: number, instants: readonly number[]): number {
  const counts = instants.map((first) => instants.filter((at) => at >= first && at < first + spanMs).length);
  return Math.max(0, ...counts);
}

/** Returns what was told, in order, and how often in a row. */
export function storyOf(answers: readonly HttpAnswer[]): string {
  const runs: { text: string; times: number }[] = [];
  for (const { status, body } of answers) {
    const text = `${status} ${body.outcome ?? body.code ?? body.state ?? ''}`;
    const last = runs.at(-1);
    if (last?.text === text) last.times += 1;
    else runs.push({ text, times: 1 });
  }
  if (runs.length === 0) return 'never answered';
  return `told ${runs.map(({ text, times }) => (times === 1 ? text : `${text} (${times} times)`)).join(', ')}`;
}
