/**
 * What would change a verdict: one thing of the input at a time, each tried on the policy.
 *
 * 1. For a call that was stopped, what would let it get further; for one that was allowed, what would stop it.
 * 2. A number is told with the bound at which the verdict flips.
 * 3. Values to try come from the data of the rules that stop the call: what is known there is what it might be.
 * 4. Who calls and which tool is called is not tried: that would be another call.
 */
import type { Json, Verdict } from '@interlock/contracts';
import { z } from 'zod';
import { type Fact, factAt } from './grounds.ts';
import { atInstant, clocksAt, epochOf, HOUR_MS, HOURS_MAX, hourAfter } from './moments.ts';
import { changedAt, isWithin, nameOf, type Path, type Place, valueAt } from './places-of-input.ts';
import type { Probe } from './probe.ts';
import { lengthOf, type Threshold, thresholdsOf } from './thresholds.ts';
import { moved } from './verdicts.ts';

/** One thing that would be different, and the verdict then. */
export type Counterfactual = { verdict: Verdict } & (
  | { kind: 'approval' | 'emergency'; given: boolean }
  | ({ kind: 'gone' } & Fact)
  | ({ kind: 'value'; to: Json[] } & Fact)
  | ({ kind: 'number'; bound: Threshold['bound']; to: number } & Fact)
  | { kind: 'fewer'; at: string; from: number; to: number }
  | { kind: 'time'; from: string; local: Record<string, string> }
);

/** The values of one place that are told. */
const VALUES_MAX = 5;
/** The values of a rule's data that are tried at a place. */
const KNOWN_MAX = 64;
const MINUTE_MS = 60_000;

/** What a verdict is to be changed from. */
export interface Stand {
  verdict: Verdict;
  /** Data of the rules that stop the call. */
  data: readonly unknown[];
}

/** Returns what would change the verdict. */
export function counterfactualsOf(probe: Probe, { verdict, data }: Stand): Counterfactual[] {
  const told = (after: Verdict | undefined): after is Verdict =>
    after !== undefined && after !== verdict && (verdict === 'allow' || moved(verdict, after) === 'wider');
  const tried = { probe, verdict, told };
  // What a person asks for first is tried first: there may be more places than questions.
  const people = [
    ...leave('approval', tried, { person: 'somebody', resolvedAt: epochOf(probe.input) }),
    ...leave('emergency', tried, emergencyAt(epochOf(probe.input))),
  ];
  const measured = [...numbers(tried), ...later(tried)];
  if (verdict === 'allow') return [...people, ...measured];
  const gone = without(tried);
  return [
    ...people,
    ...gone,
    ...fewer(tried),
    ...otherwise(tried, knownIn(data), [...gone, ...measured]),
    ...measured,
  ];
}

interface Tried {
  probe: Probe;
  verdict: Verdict;
  /** Whether it is worth telling that the verdict would be this one. */
  told(after: Verdict | undefined): after is Verdict;
}

function leave(kind: 'approval' | 'emergency', { probe, told }: Tried, given: Json): Counterfactual[] {
  const isThere = valueAt(probe.input, [kind]) !== undefined;
  const verdict = probe.verdict(changedAt(probe.input, [kind], isThere ? undefined : given));
  return told(verdict) ? [{ kind, given: !isThere, verdict }] : [];
}

function emergencyAt(epochMs: number): Json {
  return { id: 'emergency', by: 'somebody', reason: 'What if.', expiresAt: epochMs + HOUR_MS };
}

/** Who, what and when have a way of their own, or would make it another call. */
const FIXED: readonly Path[] = [
  ['subject', 'agent'],
  ['subject', 'user'],
  ['subject', 'tenant'],
  ['subject', 'proof'],
  ['action'],
  ['tool', 'name'],
  ['tool', 'version'],
  ['session', 'id'],
  ['session', 'openedAt'],
  ['context', 'time'],
  ['context', 'epochMs'],
  ['context', 'local'],
  ['context', 'door'],
  ['approval'],
  ['emergency'],
];

function variable({ probe }: Tried): Generator<Place, void> {
  return probe.each(probe.places.filter(({ path }) => !FIXED.some((fixed) => isWithin(path, fixed))));
}

function atEach(tried: Tried, tell: (place: Place) => Counterfactual[]): Counterfactual[] {
  const found: Counterfactual[] = [];
  for (const place of variable(tried)) found.push(...tell(place));
  return found;
}

function without(tried: Tried): Counterfactual[] {
  const { probe, told } = tried;
  const found: { place: Place; change: Counterfactual }[] = [];
  for (const place of variable(tried)) {
    if (found.some((one) => isWithin(one.place.path, place.path))) continue;
    const variant = probe.without(place);
    if (variant === undefined) continue;
    const verdict = probe.verdict(variant);
    if (told(verdict))
      found.push({ place, change: { kind: 'gone', ...factAt(probe.input, place), verdict } });
  }
  return found.map(({ change }) => change);
}

function fewer(tried: Tried): Counterfactual[] {
  const { probe, told } = tried;
  return atEach(tried, (place) => {
    const { value: list, path } = place;
    if (!Array.isArray(list) || list.length < 3) return [];
    const ask = (length: number) => probe.verdict(probe.with(place, list.slice(0, length)));
    const found = lengthOf(list.length, tried.verdict, ask);
    if (found === undefined || !told(found.verdict)) return [];
    return [{ kind: 'fewer', at: nameOf(path), from: list.length, ...found }];
  });
}

/**
 * Puts other values at a place: the other of true and false, and what the rules' data know of the same type. Not where
 * more is known: that it is enough that nothing is there, or beyond which bound.
 */
function otherwise(
  tried: Tried,
  known: readonly Scalar[],
  better: readonly Counterfactual[],
): Counterfactual[] {
  const { probe, told } = tried;
  const isKnown = new Set(better.map((change) => ('at' in change ? change.at : '')));
  const own = ownValues(probe.input);
  return atEach(tried, (place) => {
    const { value: from, path } = place;
    if (isKnown.has(nameOf(path))) return [];
    const values =
      typeof from === 'boolean' ? [!from] : [...own, ...known].filter((one) => isLike(one, from));
    const by = new Map<Verdict, Json[]>();
    for (const value of values) {
      if ([...by.values()].some(({ length }) => length >= VALUES_MAX)) break;
      const verdict = probe.verdict(probe.with(place, value));
      if (told(verdict)) by.set(verdict, [...(by.get(verdict) ?? []), value]);
    }
    const fact = factAt(probe.input, place);
    return [...by].map(([verdict, to]) => ({ kind: 'value', ...fact, to, verdict }));
  });
}

const scalarSchema = z.union([z.string(), z.number(), z.boolean()]);
type Scalar = z.infer<typeof scalarSchema>;

function isLike(one: Scalar, from: Json): boolean {
  return typeof one === typeof from && one !== from;
}

/** Returns the texts and numbers in data, each once. Of a network its address is one, too. */
function knownIn(data: readonly unknown[]): Scalar[] {
  const known = new Set<Scalar>();
  const open: unknown[] = [...data];
  for (let value = open.shift(); value !== undefined && known.size < KNOWN_MAX; value = open.shift()) {
    const scalar = scalarSchema.safeParse(value);
    if (scalar.success) known.add(networkAddress(scalar.data) ?? scalar.data);
    else if (Array.isArray(value)) open.push(...value);
    else if (typeof value === 'object' && value !== null)
      open.push(...Object.keys(value), ...Object.values(value));
  }
  return [...known];
}

function networkAddress(value: Scalar): string | undefined {
  return typeof value === 'string' ? /^([0-9a-fA-F.:]+)\/\d{1,3}$/.exec(value)?.[1] : undefined;
}

const OWN: readonly Path[] = [
  ['subject', 'user'],
  ['subject', 'tenant'],
  ['subject', 'environment'],
  ['tool', 'environment'],
  ['context', 'environment'],
  ['tool', 'definition', 'pinned'],
];

/** What a place might be to agree with the rest: the agent's environment, the pinned definition. */
function ownValues(input: Json): Scalar[] {
  return OWN.flatMap((path) => scalarSchema.safeParse(valueAt(input, path)).data ?? []);
}

/** Numbers of arguments, and what the call spends. */
function numbers(tried: Tried): Counterfactual[] {
  const { probe, verdict } = tried;
  return atEach(tried, (place) => {
    const { path, value } = place;
    if (typeof value !== 'number' || (path[0] !== 'arguments' && path[0] !== 'spends')) return [];
    const ask = (number: number) => probe.verdict(probe.with(place, number));
    const fact = factAt(probe.input, place);
    return thresholdsOf(value, verdict, ask).map((threshold) => ({ kind: 'number', ...fact, ...threshold }));
  });
}

/** The same call at another hour of the week after it: the first minute that makes a difference. */
function later({ probe, told }: Tried): Counterfactual[] {
  const { input } = probe;
  const verdictAt = (atMs: number) => probe.verdict(atInstant(input, atMs));
  let before = epochOf(input);
  for (let hour = 1; hour <= HOURS_MAX; hour += 1) {
    const there = hourAfter(input, hour);
    const verdict = verdictAt(there);
    if (told(verdict)) {
      const from = firstMinute(before, there, (atMs) => verdictAt(atMs) === verdict);
      return [{ kind: 'time', from: new Date(from).toISOString(), local: clocksAt(input, from), verdict }];
    }
    before = there;
  }
  return [];
}

/** Returns the first full minute after one instant, up to another, at which it is so. */
function firstMinute(before: number, there: number, isSo: (atMs: number) => boolean): number {
  let [not, so] = [before, there];
  while (so - not > MINUTE_MS) {
    const middle = Math.ceil((not + so) / 2 / MINUTE_MS) * MINUTE_MS;
    if (middle >= so) return so;
    if (isSo(middle)) so = middle;
    else not = middle;
  }
  return so;
}
