/** Grants that would allow selected recorded calls, and what they would change for all other calls. */
import type { CallLabelEntry, PolicyInput, RecordedCall } from '@interlock/contracts';
import { z } from 'zod';
import type { Grant, SuggestedGrant } from './grants.ts';
import { compareReach, type Evaluator, outcomeOf } from './outcomes.ts';
import { recordedInputOf } from './recorded-input.ts';

/** Which recorded calls are to be allowed: those that no rule allowed, or those that people labelled good. */
export type Selection = 'denied' | 'judged-good';

/** Calls kept in memory to make grants from. */
const SELECTED_MAX = 20_000;
const EXAMPLES = 5;

export interface Suggestion {
  grants: SuggestedGrant[];
  /** Selected calls. */
  wanted: number;
  /** Selected calls beyond those the grants were made from. */
  left: number;
  /** Selected calls by their outcome with the grants; other rules deny or ask about those that are not allowed. */
  becomes: { allow: number; ask: number; deny: number; error: number };
  /** All other recorded calls, and those that get further with the grants although they were not selected. */
  others: { calls: number; wider: number; examples: string[] };
}

export interface SelectedCalls {
  /** Adds a call if it is to be allowed. */
  add(recorded: RecordedCall): void;
  readonly inputs: readonly PolicyInput[];
  readonly calls: number;
  has(recorded: Pick<RecordedCall, 'tenant' | 'call'>): boolean;
}

/**
 * Makes the selection of calls to allow. `denied`: calls that no rule allowed, except those labelled bad. `judged-good`:
 * calls that were not allowed and that people labelled good.
 */
export function createSelection(selection: Selection, labels: readonly CallLabelEntry[]): SelectedCalls {
  const labelOf = new Map(labels.map((entry) => [keyOf(entry), entry.label]));
  const keys = new Set<string>();
  const inputs: PolicyInput[] = [];
  return {
    inputs,
    get calls() {
      return keys.size;
    },
    has: (recorded) => keys.has(keyOf(recorded)),
    add(recorded) {
      const label = labelOf.get(keyOf(recorded));
      const isSelected =
        selection === 'denied'
          ? recorded.code === 'policy_default' && label !== 'bad'
          : recorded.decision.verdict !== 'allow' && label === 'good';
      const read = isSelected ? recordedInputOf(recorded) : undefined;
      if (read === undefined || 'unreadable' in read) return;
      keys.add(keyOf(recorded));
      if (inputs.length < SELECTED_MAX) inputs.push(read.input);
    },
  };
}

/** Returns a policy's data with grants added to those it has. */
export function withGrants(own: Record<string, unknown>, grants: readonly Grant[]): Record<string, unknown> {
  const { config = {} } = z.looseObject({ config: z.record(z.string(), z.unknown()).optional() }).parse(own);
  const { data: standing = [] } = z.array(z.unknown()).safeParse(config['allow_listed']);
  return { ...own, config: { ...config, allow_listed: [...standing, ...grants] } };
}

export interface GrantCheck {
  add(recorded: RecordedCall): void;
  result(): Suggestion;
}

/** Checks grants with every recorded call: `before` is the policy without them, `after` the same policy with them. */
export function createGrantCheck(
  selected: SelectedCalls,
  grants: SuggestedGrant[],
  { before, after }: { before: Evaluator; after: Evaluator },
): GrantCheck {
  const becomes = { allow: 0, ask: 0, deny: 0, error: 0 };
  const others = { calls: 0, wider: 0, examples: [] as string[] };
  return {
    add(recorded) {
      const read = recordedInputOf(recorded);
      if ('unreadable' in read) return;
      const now = outcomeOf(after, read.input).outcome;
      if (selected.has(recorded)) {
        becomes[now] += 1;
        return;
      }
      others.calls += 1;
      if (compareReach(outcomeOf(before, read.input).outcome, now) !== 'wider') return;
      others.wider += 1;
      if (others.examples.length < EXAMPLES) others.examples.push(recorded.call);
    },
    result: () => ({
      grants,
      wanted: selected.calls,
      left: selected.calls - selected.inputs.length,
      becomes,
      others,
    }),
  };
}

function keyOf({ tenant, call }: { tenant: string; call: string }): string {
  return `${tenant}.${call}`;
}
