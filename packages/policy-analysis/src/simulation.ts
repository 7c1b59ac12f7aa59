/** Recorded calls decided again by a candidate, one after the other. */
import type { CallLabelEntry, RecordedCall } from '@interlock/contracts';
import {
  type Agreement,
  compareReach,
  type Evaluator,
  noAgreement,
  type Outcome,
  outcomeOf,
  type RuledOutcome,
  rulesIn,
  withLabel,
} from './outcomes.ts';
import { type RecordedInput, type ReplayTotals, recordedInputOf } from './recorded-input.ts';

/** A person does not read more kinds of change; the calls of others are only counted. */
const GROUPS_MAX = 1_000;
/** Reasons listed for calls that could not be replayed; the others are counted together. */
const REASONS_MAX = 20;

/** A call in a report. */
export interface NamedCall {
  tenant: string;
  call: string;
  agent: string;
  at: number;
}

/** Calls whose verdict changes in one way, because of the same rules. */
export interface ChangeGroup {
  tool: string;
  from: Outcome;
  to: Outcome;
  rulesBefore: string[];
  rulesNow: string[];
  move: 'wider' | 'narrower' | 'as far';
  calls: number;
  examples: NamedCall[];
}

export interface SimulationReport {
  calls: number;
  /** Those of them that were still held at the end of the span. */
  held: number;
  changed: number;
  wider: number;
  narrower: number;
  /** Calls by outcome. */
  base: Record<Outcome, number>;
  candidate: Record<Outcome, number>;
  changes: ChangeGroup[];
  /** Changed calls in groups beyond those listed. */
  ungrouped: number;
  /** Records that could not be replayed, by reason. */
  unreadable: { calls: number; reasons: { why: string; calls: number; example?: string }[] };
  /** Agreement with the labels of calls, where there are any. `missing`: labelled calls that were not replayed. */
  labels?: { base: Agreement; candidate: Agreement; missing: number; falselyAllowed: NamedCall[] };
  /** Calls that the base itself decided, and those that it decides otherwise today. */
  repeated?: { calls: number; differing: NamedCall[]; different: number };
}

export interface SimulationOptions {
  candidate: Evaluator;
  /** The policy to compare with; absent for the recorded decisions. */
  base?: Evaluator & { digest: string };
  labels: readonly CallLabelEntry[];
  /** Examples listed for each kind of change. */
  examples: number;
}

export interface Simulation {
  add(recorded: RecordedCall): void;
  report(totals: ReplayTotals): SimulationReport;
}

/** Makes a simulation. It keeps counts and examples, not the calls. */
export function createSimulation(options: SimulationOptions): Simulation {
  const { candidate, base, examples } = options;
  const groups = new Map<string, ChangeGroup>();
  const reasons = new Map<string, { why: string; calls: number; example?: string }>();
  const labels = new Map(options.labels.map((entry) => [keyOf(entry), entry.label]));
  const labelled = { base: noAgreement(), candidate: noAgreement(), falselyAllowed: [] as NamedCall[] };
  const repeated = { calls: 0, different: 0, differing: [] as NamedCall[] };
  const counted = { base: noOutcomes(), candidate: noOutcomes() };
  const moves = { wider: 0, narrower: 0, 'as far': 0 };
  let calls = 0;
  let held = 0;
  let ungrouped = 0;

  function countChange(recorded: RecordedCall, before: RuledOutcome, now: RuledOutcome): void {
    moves[compareReach(before.outcome, now.outcome)] += 1;
    const key = JSON.stringify([recorded.tool, before, now]);
    const known = groups.get(key);
    if (known === undefined && groups.size >= GROUPS_MAX) {
      ungrouped += 1;
      return;
    }
    const group = known ?? groupOf(recorded.tool, before, now);
    groups.set(key, group);
    group.calls += 1;
    if (group.examples.length < examples) group.examples.push(named(recorded));
  }

  function countLabel(recorded: RecordedCall, before: RuledOutcome, now: RuledOutcome): void {
    const label = labels.get(keyOf(recorded));
    if (label === undefined) return;
    labelled.base = withLabel(labelled.base, label, before.outcome);
    labelled.candidate = withLabel(labelled.candidate, label, now.outcome);
    if (label === 'bad' && now.outcome === 'allow' && labelled.falselyAllowed.length < examples)
      labelled.falselyAllowed.push(named(recorded));
  }

  function countRepetition(read: RecordedInput): void {
    const { recorded } = read;
    if (base === undefined || recorded.decision.policyDigest !== base.digest) return;
    repeated.calls += 1;
    if (decidesTheSame(base, read)) return;
    repeated.different += 1;
    if (repeated.differing.length < examples) repeated.differing.push(named(recorded));
  }

  function countUnreadable(why: string, example: string): void {
    const known = reasons.get(why) ?? (reasons.size < REASONS_MAX ? { why, calls: 0, example } : undefined);
    const reason = known ?? reasons.get(OTHER) ?? { why: OTHER, calls: 0, example };
    reasons.set(reason.why, reason);
    reason.calls += 1;
  }

  return {
    add(recorded) {
      const read = recordedInputOf(recorded);
      if ('unreadable' in read) {
        countUnreadable(read.unreadable, recorded.call);
        return;
      }
      calls += 1;
      if (recorded.step === 'asked') held += 1;
      const now = outcomeOf(candidate, read.input);
      const before = base === undefined ? recordedOutcome(read) : outcomeOf(base, read.input);
      counted.base[before.outcome] += 1;
      counted.candidate[now.outcome] += 1;
      if (before.outcome !== now.outcome) countChange(recorded, before, now);
      countLabel(recorded, before, now);
      countRepetition(read);
    },
    report({ unreadable }) {
      const changes = [...groups.values()].toSorted((one, other) => other.calls - one.calls);
      const left = [...reasons.values()];
      if (unreadable > 0) left.push({ why: 'the auditor could not read them', calls: unreadable });
      return {
        calls,
        held,
        changed: sum(Object.values(moves)),
        wider: moves.wider,
        narrower: moves.narrower,
        ...counted,
        changes,
        ungrouped,
        unreadable: { calls: sum(left.map((reason) => reason.calls)), reasons: left },
        ...(labels.size === 0
          ? {}
          : { labels: { ...labelled, missing: labels.size - labelled.base.judged } }),
        ...(base === undefined ? {} : { repeated }),
      };
    },
  };
}

const OTHER = 'for other reasons';

/** The recorded outcome. Which rules asked about an approved call is not in its record. */
function recordedOutcome({ recorded, verdict }: RecordedInput): RuledOutcome {
  const asked = verdict === 'ask' && recorded.decision.verdict !== 'ask';
  return { outcome: verdict, rules: asked ? [] : rulesIn(recorded.decision.reasons) };
}

/** The same policy and input must give the same verdict; otherwise the record lacks something that decides. */
function decidesTheSame(base: Evaluator, { recorded, input, approval }: RecordedInput): boolean {
  const whole = approval === undefined ? input : { ...input, approval };
  return outcomeOf(base, whole).outcome === recorded.decision.verdict;
}

function groupOf(tool: string, before: RuledOutcome, now: RuledOutcome): ChangeGroup {
  return {
    tool,
    from: before.outcome,
    to: now.outcome,
    rulesBefore: before.rules,
    rulesNow: now.rules,
    move: compareReach(before.outcome, now.outcome),
    calls: 0,
    examples: [],
  };
}

function named({ tenant, call, agent, at }: RecordedCall): NamedCall {
  return { tenant, call, agent, at };
}

function keyOf({ tenant, call }: { tenant: string; call: string }): string {
  return `${tenant}.${call}`;
}

function noOutcomes(): Record<Outcome, number> {
  return { allow: 0, ask: 0, deny: 0, error: 0 };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
