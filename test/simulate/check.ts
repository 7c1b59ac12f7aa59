/**
 * What must hold of a round, from what was seen of it outside: what agents were told, what the upstream was asked for, and
 * what the audit shows to an operator.
 *
 * Where a store was set back to an older copy, what was written after the copy is gone, and no service can know it
 * (SECURITY.md). Less is promised then, and that is checked:
 *
 * B1. NATS: a call that was made before the copy was put back may be carried out once before that and once after it, and
 *     its answers may differ.
 * B2. Redis: what was taken from a limit after the copy may be taken once more for each copy.
 * B3. NATS, FerretDB: records may be missing from the audit, and its verification says so, except for what NATS lost
 *     before the auditor had it.
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
  const putBack = natsPutBackAfter(played, seen);
  const isWhole = putBack.length === 0;
  const effects = seen.effects.filter(({ body }) => body.includes(call.text));
  const story = `${call.tool}${call.keyed ? ' keyed' : ''}: ${storyOf(answers)}; effects: ${effects.length} of ${new Set(effects.map((one) => one.call)).size} calls`;
  const findings: Finding[] = [];
  const found = (breach: Breach, why: string) =>
    void findings.push({ breach, text: call.text, story: `${why}; ${story}` });

  if (!ended) found('stuck', 'it did not end');
  if (timesDone(call.tool, effects, putBack) > 1) found('doubled', 'it was done more than once');
  if (call.tool === 'ask' && !call.reply.startsWith('approve') && effects.length > 0)
    found('unapproved', 'nobody approved it');
  const lies = answers.flatMap((answer) => lieOf(answer, answers, call.keyed, effects));
  // B1
  if (isWhole) for (const why of new Set(lies)) found('false answer', why);
  const lost = answers.some(({ body }) => body.outcome === 'succeeded') && effects.length === 0;
  if (lost) found('lost', 'it was told as done');
  const missing = [...answers.flatMap((one) => unloggedAnswer(one, seen)), ...unclaimed(effects, seen)];
  // B3
  if (isWhole && !mayLackRecords(seen)) for (const why of new Set(missing)) found('unlogged', why);
  return findings;
}

/** Returns when copies of NATS were put back after a call was made. */
function natsPutBackAfter({ call }: Played, { setBacks, startedMs }: Observed): number[] {
  return setBacks
    .filter(({ server }) => server === 'nats-server')
    .map(({ putBackAtMs }) => putBackAtMs)
    .filter((atMs) => startedMs + call.atMs <= atMs);
}

/** Returns how often a call was done, at most, between two instants at which a copy was put back (B1). */
function timesDone(tool: string, effects: readonly Effect[], putBack: readonly number[]): number {
  // The upstream of an idempotent tool may be asked again for the same call.
  const done = tool === 'idem' ? firstsOf(effects) : effects;
  const copiesBefore = ({ atMs }: Effect) => putBack.filter((at) => at < atMs).length;
  return Math.max(
    ...[0, ...putBack].map((_, copies) => done.filter((effect) => copiesBefore(effect) === copies).length),
  );
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

/** B3 */
function mayLackRecords({ setBacks, verification }: Observed): boolean {
  return setBacks.some(({ server }) => server !== 'redis-server') && verification?.intact === false;
}

function auditFindings({ verification, setBacks }: Observed): Finding[] {
  const found = (story: string): Finding[] => [{ breach: 'audit', text: '', story }];
  if (verification === undefined) return found('it could not be verified');
  // B3
  if (verification.intact || setBacks.some(({ server }) => server !== 'redis-server')) return [];
  return found(`it is not intact: ${verification.problems.join(', ')}`);
}

function overLimit({ effects, setBacks, tookMs }: Observed): Finding[] {
  const at = (url: string) => effects.filter((one) => one.url === url && one.body.includes('call-'));
  const found = (story: string): Finding => ({ breach: 'over limit', text: '', story });
  const findings: Finding[] = [];
  // B1, B2
  const times = 1 + setBacks.filter(({ server }) => server !== 'ferretdb').length;
  const paid = at('/bare').length;
  if (paid > BUDGET * times) findings.push(found(`${paid} were paid, and ${BUDGET} may be spent`));
  const idem = firstsOf(at('/idem')).length;
  const started = RATE.calls * times + Math.ceil((tookMs / RATE.windowMs) * RATE.calls);
  if (idem > started) findings.push(found(`${idem} of a rate were started, and ${started} may be`));
  const atOnce = mostWithin(
    SLOW_MS - TIMER_MS,
    at('/slow').map(({ atMs }) => atMs),
  );
  if (atOnce > SLOW_AT_ONCE * times) findings.push(found(`${atOnce} ran at once, and ${SLOW_AT_ONCE} may`));
  return findings;
}

/** Returns how many instants at most lie within any span of that length. */
function mostWithin(spanMs: number, instants: readonly number[]): number {
  const counts = instants.map((first) => instants.filter((at) => at >= first && at < first + spanMs).length);
  return Math.max(0, ...counts);
}

/** Returns what was told, in order, and how often in a row. */
function storyOf(answers: readonly HttpAnswer[]): string {
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
