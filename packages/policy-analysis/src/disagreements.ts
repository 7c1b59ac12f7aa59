/** Where a candidate disagreed with the policy that decided, by tool and rule. */
import type { DecisionRecord, RecordedCall } from '@interlock/contracts';
import { rulesIn } from './outcomes.ts';

/** A person does not read more kinds of disagreement; the calls of others are only counted. */
const GROUPS_MAX = 1_000;
const EXAMPLES = 3;

/** Calls of one tool with the same two verdicts by the same rules. */
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
  /** All decided calls of the span, with or without a candidate's verdict. */
  calls: number;
  disagreements: number;
  /** Most calls first. */
  groups: DisagreementGroup[];
  /** Disagreements of kinds that have no group. */
  ungrouped: number;
}

/** Collects disagreements from recorded calls: those of one candidate by its digest, or of all candidates. */
export function collectDisagreements(digest: string | undefined) {
  const groups = new Map<string, DisagreementGroup>();
  const report = { calls: 0, disagreements: 0, ungrouped: 0 };
  return {
    add(recorded: RecordedCall): void {
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
  // The candidate was evaluated with the first decision, before a person approved the call.
  const approved = decision.facts['approval'] !== undefined && decision.verdict === 'allow';
  return {
    tool,
    from: approved ? 'ask' : decision.verdict,
    to: shadow.verdict,
    rulesBefore: approved ? [] : rulesIn(decision.reasons),
    rulesNow: rulesIn(shadow.reasons),
    candidate: { version: shadow.policyVersion, digest: shadow.policyDigest },
    calls: 0,
    examples: [],
  };
}
