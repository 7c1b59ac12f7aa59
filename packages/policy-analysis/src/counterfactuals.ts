/**
 * Which single change of the input changes the verdict. Each change is evaluated by the policy.
 *
 * C1. For a call that was denied or asked about, a change counts where the call then gets further; for one that was
 *     allowed, where it is then stopped.
 * C2. A number is reported with the bound at which the verdict changes.
 * C3. The values to try come from the data of the rules that stop the call, which lists what they know.
 * C4. The caller and the tool are not changed: that would be another call.
 */
import type { Json, Verdict } from '@interlock/contracts';
import { z } from 'zod';
import { type InputNode, isWithin, type Path, pathText, valueAt, withValueAt } from './input-nodes.ts';
import { epochOf, HOUR_MS, HOURS_MAX, hourAfter, inputAt, localTimesAt } from './input-time.ts';
import { compareReach } from './outcomes.ts';
import type { Probe } from './probe.ts';
import { type Fact, factAt } from './rule-facts.ts';
import { lengthOf, type Threshold, thresholdsOf } from './thresholds.ts';

/** One change, and the verdict with it. */
export type Counterfactual = { verdict: Verdict } & (
  | { kind: 'approval' | 'emergency'; given: boolean }
  | ({ kind: 'gone' } & Fact)
  | ({ kind: 'value'; to: Json[] } & Fact)
  | ({ kind: 'number'; bound: Threshold['bound']; to: number } & Fact)
  | { kind: 'fewer'; at: string; from: number; to: number }
  | { kind: 'time'; from: string; local: Record<string, string> }
);

/** Values reported for one node. */
const VALUES_MAX = 5;
/** Values of a rule's data that are tried at a node. */
const KNOWN_MAX = 64;
const MINUTE_MS = 60_000;

/** The decision that is to be changed. */
export interface Decided {
  verdict: Verdict;
  /** The data of the rules that stop the call. */
  data: readonly unknown[];
}

/** Returns the changes that change the verdict. */
export function counterfactualsOf(probe: Probe, { verdict, data }: Decided): Counterfactual[] {
  const matters = (after: Verdict | undefined): after is Verdict =>
    after !== undefined &&
    after !== verdict &&
    (verdict === 'allow' || compareReach(verdict, after) === 'wider');
  const search = { probe, verdict, matters };
  // What people want to know first is tried first: there may be more nodes than variants.
  const people = [
    ...toggled('approval', search, { person: 'somebody', resolvedAt: epochOf(probe.input) }),
    ...toggled('emergency', search, emergencyAt(epochOf(probe.input))),
  ];
  const measured = [...numberBounds(search), ...laterTimes(search)];
  if (verdict === 'allow') return [...people, ...measured];
  const removed = removals(search);
  return [
    ...people,
    ...removed,
    ...shorterLists(search),
    ...otherValues(search, valuesIn(data), [...removed, ...measured]),
    ...measured,
  ];
}

interface Search {
  probe: Probe;
  verdict: Verdict;
  /** Returns whether a change to this verdict is reported (C1). */
  matters(after: Verdict | undefined): after is Verdict;
}

function toggled(kind: 'approval' | 'emergency', { probe, matters }: Search, value: Json): Counterfactual[] {
  const isPresent = valueAt(probe.input, [kind]) !== undefined;
  const verdict = probe.verdict(withValueAt(probe.input, [kind], isPresent ? undefined : value));
  return matters(verdict) ? [{ kind, given: !isPresent, verdict }] : [];
}

function emergencyAt(epochMs: number): Json {
  return { id: 'emergency', by: 'somebody', reason: 'What if.', expiresAt: epochMs + HOUR_MS };
}

/** Approval, emergency and time are changed by functions of their own; the rest would make another call (C4). */
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

function variableNodes({ probe }: Search): Generator<InputNode, void> {
  return probe.each(probe.nodes.filter(({ path }) => !FIXED.some((fixed) => isWithin(path, fixed))));
}

function atEachNode(search: Search, changesAt: (node: InputNode) => Counterfactual[]): Counterfactual[] {
  const found: Counterfactual[] = [];
  for (const node of variableNodes(search)) found.push(...changesAt(node));
  return found;
}

function removals(search: Search): Counterfactual[] {
  const { probe, matters } = search;
  const found: { node: InputNode; change: Counterfactual }[] = [];
  for (const node of variableNodes(search)) {
    if (found.some((one) => isWithin(one.node.path, node.path))) continue;
    const variant = probe.without(node);
    if (variant === undefined) continue;
    const verdict = probe.verdict(variant);
    if (matters(verdict))
      found.push({ node, change: { kind: 'gone', ...factAt(probe.input, node), verdict } });
  }
  return found.map(({ change }) => change);
}

function shorterLists(search: Search): Counterfactual[] {
  const { probe, matters } = search;
  return atEachNode(search, (node) => {
    const { value: list, path } = node;
    if (!Array.isArray(list) || list.length < 3) return [];
    const verdictAt = (length: number) => probe.verdict(probe.with(node, list.slice(0, length)));
    const found = lengthOf(list.length, search.verdict, verdictAt);
    if (found === undefined || !matters(found.verdict)) return [];
    return [{ kind: 'fewer', at: pathText(path), from: list.length, ...found }];
  });
}

/**
 * Tries other values at a node: the opposite of true and false, and values of the same type (C3). Nodes are left out
 * about which a simpler change is known: that removing them is enough, or a bound.
 */
function otherValues(
  search: Search,
  known: readonly Scalar[],
  simpler: readonly Counterfactual[],
): Counterfactual[] {
  const { probe, matters } = search;
  const isKnown = new Set(simpler.map((change) => ('at' in change ? change.at : '')));
  const own = ownValues(probe.input);
  return atEachNode(search, (node) => {
    const { value: from, path } = node;
    if (isKnown.has(pathText(path))) return [];
    const values =
      typeof from === 'boolean' ? [!from] : [...own, ...known].filter((one) => isSimilar(one, from));
    const byVerdict = new Map<Verdict, Json[]>();
    for (const value of values) {
      if ([...byVerdict.values()].some(({ length }) => length >= VALUES_MAX)) break;
      const verdict = probe.verdict(probe.with(node, value));
      if (matters(verdict)) byVerdict.set(verdict, [...(byVerdict.get(verdict) ?? []), value]);
    }
    const fact = factAt(probe.input, node);
    return [...byVerdict].map(([verdict, to]) => ({ kind: 'value', ...fact, to, verdict }));
  });
}

const scalarSchema = z.union([z.string(), z.number(), z.boolean()]);
type Scalar = z.infer<typeof scalarSchema>;

function isSimilar(one: Scalar, from: Json): boolean {
  return typeof one === typeof from && one !== from;
}

/** Returns the scalars and names in data, each once; of a network its address. */
function valuesIn(data: readonly unknown[]): Scalar[] {
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

/** Values of the input that another node may have to match: the agent's environment, the pinned definition. */
function ownValues(input: Json): Scalar[] {
  return OWN.flatMap((path) => scalarSchema.safeParse(valueAt(input, path)).data ?? []);
}

/** Bounds of numbers in the arguments, and of what the call spends. */
function numberBounds(search: Search): Counterfactual[] {
  const { probe, verdict } = search;
  return atEachNode(search, (node) => {
    const { path, value } = node;
    if (typeof value !== 'number' || (path[0] !== 'arguments' && path[0] !== 'spends')) return [];
    const verdictAt = (number: number) => probe.verdict(probe.with(node, number));
    const fact = factAt(probe.input, node);
    return thresholdsOf(value, verdict, verdictAt).map((threshold) => ({
      kind: 'number',
      ...fact,
      ...threshold,
    }));
  });
}

/** The same call at a later hour within a week: the first minute at which the verdict is another. */
function laterTimes({ probe, matters }: Search): Counterfactual[] {
  const { input } = probe;
  const verdictAt = (atMs: number) => probe.verdict(inputAt(input, atMs));
  let before = epochOf(input);
  for (let hour = 1; hour <= HOURS_MAX; hour += 1) {
    const atMs = hourAfter(input, hour);
    const verdict = verdictAt(atMs);
    if (matters(verdict)) {
      const from = firstMinute(before, atMs, (minuteMs) => verdictAt(minuteMs) === verdict);
      return [
        { kind: 'time', from: new Date(from).toISOString(), local: localTimesAt(input, from), verdict },
      ];
    }
    before = atMs;
  }
  return [];
}

/** Returns the first full minute after one time, up to another, at which a condition holds. */
function firstMinute(beforeMs: number, atMs: number, holds: (minuteMs: number) => boolean): number {
  let [not, yes] = [beforeMs, atMs];
  while (yes - not > MINUTE_MS) {
    const middle = Math.ceil((not + yes) / 2 / MINUTE_MS) * MINUTE_MS;
    if (middle >= yes) return yes;
    if (holds(middle)) yes = middle;
    else not = middle;
  }
  return yes;
}
