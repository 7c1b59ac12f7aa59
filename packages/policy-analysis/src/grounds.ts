/**
 * On which facts a rule spoke: the places of the input whose change changes what that rule says.
 *
 * 1. One place is changed at a time, and nothing is taken away that policy always sees.
 * 2. What holds a place that matters is not named beside it.
 */
import { canonicalJson, type Json, type PolicyExplanation } from '@interlock/contracts';
import { atInstant, HOURS_MAX, hourAfter } from './moments.ts';
import { isWithin, nameOf, type Path, type Place, valueAt } from './places-of-input.ts';
import type { Probe } from './probe.ts';

/** A place of the input and what stood there. */
export interface Fact {
  /** `tool.labels[0]`, `arguments./amount`, `facts.sql[0].statements[0].kind`. */
  at: string;
  value: Json;
  /** The argument that a parser read it from, or another name for the same. */
  of?: string;
}

export type Word = keyof PolicyExplanation;
export const words = ['deny', 'ask', 'allow', 'notes'] as const satisfies Word[];

/** What one rule said, and on which facts. */
export interface Ground {
  rule: string;
  said: { word: Word; text: string }[];
  facts: Fact[];
}

/** Opening hours and nights are longer. */
const HOURS_BETWEEN = 4;
/** The clock is moved as one: its parts alone are no time. */
const CLOCK: readonly Path[] = [
  ['context', 'time'],
  ['context', 'epochMs'],
  ['context', 'local'],
];
/** More than any amount, and less than nothing. */
const NUMBERS = [0, 1_000_000_000_000_000, -1];
/** A value that nobody has. */
const NOBODY = '?';

/** Returns what each rule said, with its facts; undefined where the policy does not explain itself. */
export function groundsOf(probe: Probe): Ground[] | undefined {
  const explanation = probe.words(probe.input);
  if (explanation === undefined) return undefined;
  const said = saidBy(explanation);
  const found = new Map([...said.keys()].map((rule): [string, Place[]] => [rule, []]));
  const timely = rulesMovedByTime(probe, said);
  const places = probe.places.filter(({ path }) => !CLOCK.some((clock) => isWithin(path, clock)));
  for (const place of probe.each(places)) {
    for (const rule of rulesMovedBy(place, probe, said)) {
      const own = found.get(rule);
      if (own?.some(({ path }) => isWithin(path, place.path)) === false) own.push(place);
    }
  }
  return [...said].map(([rule, own]) => {
    const facts = (found.get(rule) ?? []).map((place) => factAt(probe.input, place));
    return { rule, said: own, facts: timely.has(rule) ? [...facts, timeOf(probe)] : facts };
  });
}

/** A rule may look at the hour, the weekday and the date together: the clock is moved as one. */
function rulesMovedByTime({ input, words: ask }: Probe, said: Map<string, Ground['said']>): Set<string> {
  const rules = new Set<string>();
  for (let hour = HOURS_BETWEEN; hour <= HOURS_MAX; hour += HOURS_BETWEEN)
    addMoved(said, ask(atInstant(input, hourAfter(input, hour))), rules);
  return rules;
}

function timeOf({ input }: Probe): Fact {
  const path = ['context', 'time'];
  return { at: nameOf(path), value: valueAt(input, path) ?? null };
}

/** Returns a place as a fact. */
export function factAt(input: Json, { path, value, twin }: Place): Fact {
  const of = twin === undefined ? argumentOf(input, path) : nameOf(twin);
  return { at: nameOf(path), value, ...(of === undefined ? {} : { of }) };
}

function rulesMovedBy(place: Place, probe: Probe, said: Map<string, Ground['said']>): Set<string> {
  const rules = new Set<string>();
  for (const variant of variantsOf(place, probe)) addMoved(said, probe.words(variant), rules);
  return rules;
}

/** Adds the rules that say something else now. */
function addMoved(
  said: Map<string, Ground['said']>,
  explanation: PolicyExplanation | undefined,
  rules: Set<string>,
): void {
  if (explanation === undefined) return;
  const now = saidBy(explanation);
  for (const [rule, own] of said)
    if (canonicalJson(own) !== canonicalJson(now.get(rule) ?? [])) rules.add(rule);
}

/** Returns the input without what stands there, where it may be missing, and with something neutral in its place. */
function variantsOf(place: Place, probe: Probe): Json[] {
  const gone = probe.without(place);
  const neutral = place.isLeaf ? neutralsOf(place.value).map((value) => probe.with(place, value)) : [];
  return [...neutral, ...(gone === undefined ? [] : [gone])];
}

function neutralsOf(value: Json): Json[] {
  if (typeof value === 'string') return value === '' ? [NOBODY] : [''];
  if (typeof value === 'number') return NUMBERS.filter((number) => number !== value);
  if (typeof value === 'boolean') return [!value];
  if (value === null) return [NOBODY];
  return Array.isArray(value) ? [[NOBODY]] : [{ [NOBODY]: NOBODY }];
}

function saidBy(explanation: PolicyExplanation): Map<string, Ground['said']> {
  const said = new Map<string, Ground['said']>();
  for (const word of words) {
    for (const { rule, text } of explanation[word])
      said.set(rule, [...(said.get(rule) ?? []), { word, text }]);
  }
  return said;
}

/** What parsers read says where in the arguments it stands: `facts.sql[0].at`. */
function argumentOf(input: Json, path: Path): string | undefined {
  if (path[0] !== 'facts' || path.length < 3) return undefined;
  const at = valueAt(input, [...path.slice(0, 3), 'at']);
  return typeof at === 'string' ? `arguments.${at}` : undefined;
}
