/**
 * The facts on which each rule depends: the nodes of the input whose change changes the outputs of the rule.
 *
 * F1. One node is changed at a time, and nothing is removed that an input always has.
 * F2. Where a node matters, the nodes that contain it are not listed beside it.
 */
import { canonicalJson, type Json, type PolicyExplanation } from '@interlock/contracts';
import { type InputNode, isWithin, type Path, pathText, valueAt } from './input-nodes.ts';
import { HOURS_MAX, hourAfter, inputAt } from './input-time.ts';
import type { Probe } from './probe.ts';

/** A node of the input and its value. */
export interface Fact {
  /** `tool.labels[0]`, `arguments./amount`, `facts.sql[0].statements[0].kind`. */
  at: string;
  value: Json;
  /** The argument that a parser read it from, or the path of its alias. */
  of?: string;
}

export type OutputKind = keyof PolicyExplanation;
export const outputKinds = ['deny', 'ask', 'allow', 'notes'] as const satisfies OutputKind[];

/** The outputs of one rule, and the facts they depend on. */
export interface RuleFacts {
  rule: string;
  outputs: RuleOutput[];
  facts: Fact[];
}

interface RuleOutput {
  kind: OutputKind;
  text: string;
}
type OutputsByRule = ReadonlyMap<string, RuleOutput[]>;

/** Opening hours and nights are longer. */
const HOURS_BETWEEN = 4;
/** The time of an input is changed as a whole: a part of it alone is not a valid time. */
const TIME: readonly Path[] = [
  ['context', 'time'],
  ['context', 'epochMs'],
  ['context', 'local'],
];
/** Zero, more than any amount, and less than any. */
const NUMBERS = [0, 1_000_000_000_000_000, -1];
/** A value that nothing in an input has. */
const UNUSED = '?';

/** Returns every rule with outputs and its facts; undefined where the policy gives no answer. */
export function ruleFactsOf(probe: Probe): RuleFacts[] | undefined {
  const explanation = probe.outputs(probe.input);
  if (explanation === undefined) return undefined;
  const outputs = outputsByRule(explanation);
  const found = new Map([...outputs.keys()].map((rule): [string, InputNode[]] => [rule, []]));
  const timed = rulesChangedByTime(probe, outputs);
  const nodes = probe.nodes.filter(({ path }) => !TIME.some((time) => isWithin(path, time)));
  for (const node of probe.each(nodes)) {
    for (const rule of rulesChangedBy(node, probe, outputs)) {
      const own = found.get(rule);
      // F2: nodes come after those below them.
      if (own?.some(({ path }) => isWithin(path, node.path)) === false) own.push(node);
    }
  }
  return [...outputs].map(([rule, own]) => {
    const facts = (found.get(rule) ?? []).map((node) => factAt(probe.input, node));
    return { rule, outputs: own, facts: timed.has(rule) ? [...facts, timeFact(probe)] : facts };
  });
}

/** A rule may depend on hour, weekday and date together. */
function rulesChangedByTime({ input, outputs: evaluate }: Probe, before: OutputsByRule): Set<string> {
  const rules = new Set<string>();
  for (let hour = HOURS_BETWEEN; hour <= HOURS_MAX; hour += HOURS_BETWEEN)
    addChanged(before, evaluate(inputAt(input, hourAfter(input, hour))), rules);
  return rules;
}

function timeFact({ input }: Probe): Fact {
  const path = ['context', 'time'];
  return { at: pathText(path), value: valueAt(input, path) ?? null };
}

/** Returns a node as a fact. */
export function factAt(input: Json, { path, value, alias }: InputNode): Fact {
  const of = alias === undefined ? argumentOf(input, path) : pathText(alias);
  return { at: pathText(path), value, ...(of === undefined ? {} : { of }) };
}

function rulesChangedBy(node: InputNode, probe: Probe, before: OutputsByRule): Set<string> {
  const rules = new Set<string>();
  for (const variant of variantsOf(node, probe)) addChanged(before, probe.outputs(variant), rules);
  return rules;
}

/** Adds the rules whose outputs are now different. */
function addChanged(
  before: OutputsByRule,
  explanation: PolicyExplanation | undefined,
  rules: Set<string>,
): void {
  if (explanation === undefined) return;
  const now = outputsByRule(explanation);
  for (const [rule, own] of before)
    if (canonicalJson(own) !== canonicalJson(now.get(rule) ?? [])) rules.add(rule);
}

/** Returns the input with a neutral value at a leaf, and without the node where it may be missing (F1). */
function variantsOf(node: InputNode, probe: Probe): Json[] {
  const removed = probe.without(node);
  const neutral = node.isLeaf ? neutralValues(node.value).map((value) => probe.with(node, value)) : [];
  return [...neutral, ...(removed === undefined ? [] : [removed])];
}

function neutralValues(value: Json): Json[] {
  if (typeof value === 'string') return value === '' ? [UNUSED] : [''];
  if (typeof value === 'number') return NUMBERS.filter((number) => number !== value);
  if (typeof value === 'boolean') return [!value];
  if (value === null) return [UNUSED];
  return Array.isArray(value) ? [[UNUSED]] : [{ [UNUSED]: UNUSED }];
}

function outputsByRule(explanation: PolicyExplanation): OutputsByRule {
  const outputs = new Map<string, RuleOutput[]>();
  for (const kind of outputKinds) {
    for (const { rule, text } of explanation[kind])
      outputs.set(rule, [...(outputs.get(rule) ?? []), { kind, text }]);
  }
  return outputs;
}

/** What parsers read names its argument: `facts.sql[0].at`. */
function argumentOf(input: Json, path: Path): string | undefined {
  if (path[0] !== 'facts' || path.length < 3) return undefined;
  const at = valueAt(input, [...path.slice(0, 3), 'at']);
  return typeof at === 'string' ? `arguments.${at}` : undefined;
}
