/** Recorded calls held against a candidate, one after the other. */
import type { CallLabelEntry, RecordedCall } from '@interlock/contracts';
import { type Recalled, type ReplayTotals, recall } from './recorded.ts';
import {
  type Agreement,
  ask,
  type Judge,
  judged,
  moved,
  noAgreement,
  type Outcome,
  rulesOf,
  type Said,
} from './verdicts.ts';

/** As many kinds of change as a person reads; the calls of further ones are counted. */
const GROUPS_MAX = 1_000;
/** Why calls could not be replayed: as many reasons as are worth telling. */
const REASONS_MAX = 20;

/** A call of a report. */
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
  changed: number;
  wider: number;
  narrower: number;
  /** Verdicts counted. */
  base: Record<Outcome, number>;
  candidate: Record<Outcome, number>;
  changes: ChangeGroup[];
  /** Changed calls in groups beyond those listed. */
  ungrouped: number;
  /** Records that could not be replayed, by reason. */
  unreadable: { calls: number; reasons: { why: string; calls: number; example?: string }[] };
  /** What people judged, where they judged anything. `missing` were judged and not replayed. */
  labels?: { base: Agreement; candidate: Agreement; missing: number; falselyAllowed: NamedCall[] };
  /** Calls the base itself decided: whether it says the same today. */
  repeated?: { calls: number; differing: NamedCall[]; different: number };
}

export interface SimulationOptions {
  candidate: Judge;
  /** A policy to compare with; absent for what was decided when the call was made. */
  base?: Judge & { digest: string };
  labels: readonly CallLabelEntry[];
  /** Examples of each kind of change. */
  examples: number;
}

export interface Simulation {
  take(recorded: RecordedCall): void;
  report(totals: ReplayTotals): SimulationReport;
}

/** Makes a simulation. It keeps counts and examples, never the calls. */
export function createSimulation(options: SimulationOptions): Simulation {
  const { candidate, base, examples } = options;
  const groups = new Map<string, ChangeGroup>();
  const reasons = new Map<string, { why: string; calls: number; example?: string }>();
  const labels = new Map(options.labels.map((entry) => [keyOf(entry), entry.label]));
  const met = { base: noAgreement(), candidate: noAgreement(), falselyAllowed: [] as NamedCall[] };
  const repeated = { calls: 0, different: 0, differing: [] as NamedCall[] };
  const counted = { base: noOutcomes(), candidate: noOutcomes() };
  const moves = { wider: 0, narrower: 0, 'as far': 0 };
  let calls = 0;
  let ungrouped = 0;

  function change(recorded: RecordedCall, before: Said, now: Said): void {
    moves[moved(before.outcome, now.outcome)] += 1;
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

  function judge(recorded: RecordedCall, before: Said, now: Said): void {
    const label = labels.get(keyOf(recorded));
    if (label === undefined) return;
    met.base = judged(met.base, label, before.outcome);
    met.candidate = judged(met.candidate, label, now.outcome);
    if (label === 'bad' && now.outcome === 'allow' && met.falselyAllowed.length < examples)
      met.falselyAllowed.push(named(recorded));
  }

  function repeat(recalled: Recalled): void {
    const { recorded } = recalled;
    if (base === undefined || recorded.decision.policyDigest !== base.digest) return;
    repeated.calls += 1;
    if (saysTheSame(base, recalled)) return;
    repeated.different += 1;
    if (repeated.differing.length < examples) repeated.differing.push(named(recorded));
  }

  function cannot(why: string, example: string): void {
    const known = reasons.get(why) ?? (reasons.size < REASONS_MAX ? { why, calls: 0, example } : undefined);
    const reason = known ?? reasons.get(OTHER) ?? { why: OTHER, calls: 0, example };
    reasons.set(reason.why, reason);
    reason.calls += 1;
  }

  return {
    take(recorded) {
      const recalled = recall(recorded);
      if ('unreadable' in recalled) {
        cannot(recalled.unreadable, recorded.call);
        return;
      }
      calls += 1;
      const now = ask(candidate, recalled.input);
      const before = base === undefined ? saidThen(recalled) : ask(base, recalled.input);
      counted.base[before.outcome] += 1;
      counted.candidate[now.outcome] += 1;
      if (before.outcome !== now.outcome) change(recorded, before, now);
      judge(recorded, before, now);
      repeat(recalled);
    },
    report({ unreadable }) {
      const changes = [...groups.values()].toSorted((one, other) => other.calls - one.calls);
      const left = [...reasons.values()];
      if (unreadable > 0) left.push({ why: 'the audit could not hand them out', calls: unreadable });
      return {
        calls,
        changed: sum(Object.values(moves)),
        wider: moves.wider,
        narrower: moves.narrower,
        ...counted,
        changes,
        ungrouped,
        unreadable: { calls: sum(left.map((reason) => reason.calls)), reasons: left },
        ...(labels.size === 0 ? {} : { labels: { ...met, missing: labels.size - met.base.judged } }),
        ...(base === undefined ? {} : { repeated }),
      };
    },
  };
}

const OTHER = 'for other reasons';

/** What was said of the call at the time. Which rules asked about an approved call is not in its record. */
function saidThen({ recorded, verdict }: Recalled): Said {
  const asked = verdict === 'ask' && recorded.decision.verdict !== 'ask';
  return { outcome: verdict, rules: asked ? [] : rulesOf(recorded.decision.reasons) };
}

/** The same policy and the same input make the same verdict: else something that decides is not in the record. */
function saysTheSame(base: Judge, { recorded, input, approval }: Recalled): boolean {
  const whole = approval === undefined ? input : { ...input, approval };
  return ask(base, whole).outcome === recorded.decision.verdict;
}

function groupOf(tool: string, before: Said, now: Said): ChangeGroup {
  return {
    tool,
    from: before.outcome,
    to: now.outcome,
    rulesBefore: before.rules,
    rulesNow: now.rules,
    move: moved(before.outcome, now.outcome),
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
