/** What to grant so that recorded calls are allowed, and what that would do to all the others. */
import type { CallLabelEntry, PolicyInput, RecordedCall } from '@interlock/contracts';
import { z } from 'zod';
import type { Grant, GrantFor } from './grants.ts';
import { recall } from './recorded.ts';
import { ask, type Judge, moved } from './verdicts.ts';

/** Which recorded calls are to be allowed. */
export type Wish = 'denied' | 'judged-good';

/** As many calls as are kept in memory to find what they have in common. */
const WANTED_MAX = 20_000;
const EXAMPLES = 5;

export interface Suggestion {
  grants: GrantFor[];
  /** Calls that were to be allowed. */
  wanted: number;
  /** Wanted calls beyond those the grants were made from. */
  left: number;
  /** Wanted calls by what becomes of them with the grants; those not allowed are denied or asked about by other rules. */
  becomes: { allow: number; ask: number; deny: number; error: number };
  /** All other recorded calls that get further with the grants: each is one nobody asked for. */
  others: { calls: number; wider: number; examples: string[] };
}

export interface Wanted {
  /** Takes a call where it is wanted. */
  take(recorded: RecordedCall): void;
  readonly inputs: readonly PolicyInput[];
  readonly calls: number;
  has(recorded: Pick<RecordedCall, 'tenant' | 'call'>): boolean;
}

/**
 * Makes the list of calls to allow: those that no rule allowed, or those that people judged good and that were not
 * allowed. A call judged bad is never wanted.
 */
export function createWanted(wish: Wish, labels: readonly CallLabelEntry[]): Wanted {
  const judged = new Map(labels.map((entry) => [keyOf(entry), entry.label]));
  const keys = new Set<string>();
  const inputs: PolicyInput[] = [];
  return {
    inputs,
    get calls() {
      return keys.size;
    },
    has: (recorded) => keys.has(keyOf(recorded)),
    take(recorded) {
      const label = judged.get(keyOf(recorded));
      const isWanted =
        wish === 'denied'
          ? recorded.code === 'policy_default' && label !== 'bad'
          : recorded.decision.verdict !== 'allow' && label === 'good';
      const recalled = isWanted ? recall(recorded) : undefined;
      if (recalled === undefined || 'unreadable' in recalled) return;
      keys.add(keyOf(recorded));
      if (inputs.length < WANTED_MAX) inputs.push(recalled.input);
    },
  };
}

/** Returns a policy's data with grants added to those it has. */
export function withGrants(own: Record<string, unknown>, grants: readonly Grant[]): Record<string, unknown> {
  const { config = {} } = z.looseObject({ config: z.record(z.string(), z.unknown()).optional() }).parse(own);
  const { data: standing = [] } = z.array(z.unknown()).safeParse(config['allow_listed']);
  return { ...own, config: { ...config, allow_listed: [...standing, ...grants] } };
}

export interface Check {
  take(recorded: RecordedCall): void;
  result(): Suggestion;
}

/** Holds the grants against every recorded call: `before` is the policy as it is, `after` the same with the grants. */
export function createCheck(
  wanted: Wanted,
  grants: GrantFor[],
  { before, after }: { before: Judge; after: Judge },
): Check {
  const becomes = { allow: 0, ask: 0, deny: 0, error: 0 };
  const others = { calls: 0, wider: 0, examples: [] as string[] };
  return {
    take(recorded) {
      const recalled = recall(recorded);
      if ('unreadable' in recalled) return;
      const now = ask(after, recalled.input).outcome;
      if (wanted.has(recorded)) {
        becomes[now] += 1;
        return;
      }
      others.calls += 1;
      if (moved(ask(before, recalled.input).outcome, now) !== 'wider') return;
      others.wider += 1;
      if (others.examples.length < EXAMPLES) others.examples.push(recorded.call);
    },
    result: () => ({
      grants,
      wanted: wanted.calls,
      left: wanted.calls - wanted.inputs.length,
      becomes,
      others,
    }),
  };
}

function keyOf({ tenant, call }: { tenant: string; call: string }): string {
  return `${tenant}.${call}`;
}
