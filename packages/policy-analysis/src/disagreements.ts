/** Where a candidate disagreed with the policy that decided, by tool and rule. */
import type { DecisionRecord, RecordedCall } from '@interlock/contracts';

/** Disagreements that are told apart; more kinds than anybody reads. */
const GROUPS_MAX = 1_000;
const EXAMPLES = 3;

/** Calls of one tool about which both policies said the same two things, by the same rules. */
export interface DisagreementGroup {
  tool: string;
  from: 'allow' | 'ask' | 'deny';
  to: 'allow' | 'ask' | 'deny' | 'error';
  rulesBefore: string[];
  rulesNow: string[];
  candidate: { version: number; digest: string };
  calls: number;
  examples: { tenant: string; call: string; at: number }[];
}

export interface DisagreementReport {
  /** Calls that were decided in the span, whether or not a candidate was asked. */
  calls: number;
  disagreements: number;
  /** Most calls first. */
  groups: DisagreementGroup[];
  /** Disagreements of kinds beyond those told apart. */
  ungrouped: number;
}

/** Collects disagreements from recorded calls, one candidate's or everybody's. */
export function collectDisagreements(digest: string | undefined) {
  const groups = new Map<string, DisagreementGroup>();
  const report = { calls: 0, disagreements: 0, ungrouped: 0 };
  return {
    take(recorded: RecordedCall): void {
      report.calls += 1;
      const { shadow } = recorded.decision;
      if (shadow === undefined || (digest !== undefined && shadow.policyDigest !== digest)) return;
      report.disagreements += 1;
      const made = groupOf(recorded, shadow);
      const key = JSON.stringify([
        ...[made.tool, made.from, made.to, made.rulesBefore, made.rulesNow],
        made.candidate.digest,
      ]);
      const group = groups.get(key) ?? made;
      if (!groups.has(key) && groups.size >= GROUPS_MAX) {
        report.ungrouped += 1;
        return;
      }
      groups.set(key, group);
      group.calls += 1;
      const { tenant, call, at } = recorded;
      if (group.examples.length < EXAMPLES) group.examples.push({ tenant, call, at });
    },
    report(): DisagreementReport {
      return { ...report, groups: [...groups.values()].sort((one, other) => other.calls - one.calls) };
    },
  };
}

function groupOf(
  { tool, decision }: RecordedCall,
  shadow: NonNullable<DecisionRecord['shadow']>,
): DisagreementGroup {
  // The candidate was asked when the call was decided first: before a person approved it.
  const approved = decision.facts['approval'] !== undefined && decision.verdict === 'allow';
  return {
    tool,
    from: approved ? 'ask' : decision.verdict,
    to: shadow.verdict,
    rulesBefore: approved ? [] : rulesOf(decision.reasons),
    rulesNow: rulesOf(shadow.reasons),
    candidate: { version: shadow.policyVersion, digest: shadow.policyDigest },
    calls: 0,
    examples: [],
  };
}

function rulesOf(reasons: readonly { rule: string }[]): string[] {
  return [...new Set(reasons.map(({ rule }) => rule))].sort();
}
