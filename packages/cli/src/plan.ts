/** What applying a configuration would do, and what a person is asked about before it is done. */
import { type ApplyPlan, applyPlanSchema, type PolicyEntry } from '@interlock/contracts';
import { type BundleSources, bundleSources } from '@interlock/policy';
import { type Changes, comparePolicies } from '@interlock/policy-analysis';
import { bodyOf, type Resolved } from './applying.ts';
import type { ApiClient } from './client.ts';
import { type ConfirmOptions, confirm } from './confirm.ts';
import type { LoadedConfiguration } from './load-configuration.ts';
import { oneLine } from './output.ts';
import { readPolicyState } from './policy/bundles.ts';

/** What the console says, and what it cannot know: what is in the bundles. */
export interface Plan extends Omit<ApplyPlan, 'emptied'> {
  /** Rules and data that differ from those in force, where the policy changes. */
  policy?: { rules: Changes; data: Changes };
  /** Kinds of which everything would be removed. */
  emptied: Emptied[];
}

interface Emptied {
  kind: string;
  count: number;
  /** Empty where they have none. */
  names: string[];
}

/** Asks a person whether everything of these kinds may be removed. Throws when it may not. */
export type ConfirmRemovals = (plan: Plan) => Promise<void>;

const NAMES_SHOWN = 50;

/** Returns what applying a configuration would change. Nothing is changed by asking. */
export async function planOf(
  client: ApiClient,
  loaded: LoadedConfiguration,
  resolved: Resolved,
): Promise<Plan> {
  const body = bodyOf(loaded, resolved);
  const asked = await client.request({
    method: 'POST',
    path: '/v1/apply/plan',
    body,
    reply: applyPlanSchema,
  });
  const plan = {
    ...asked,
    emptied: asked.emptied.map(({ kind, names }) => ({ kind, count: names.length, names })),
  };
  if (!plan.changed.includes('policy/current')) return plan;
  const { current } = await readPolicyState(client);
  if (current === undefined) return plan;
  const before = await sourcesOf(client, current);
  const after = bundleSources(Buffer.from(resolved.policy.bundle, 'base64'));
  const { rules, data } = comparePolicies(before, after);
  const { removed } = rules;
  const grants = grantsIn(before.data);
  const emptied = [
    ...(removed.length > 0 && !loaded.hasOwnRules
      ? [{ kind: 'rules of your own', count: removed.length, names: removed }]
      : []),
    ...(grants > 0 && grantsIn(after.data) === 0
      ? [{ kind: 'grants in config.allow_listed', count: grants, names: [] }]
      : []),
  ];
  return { ...plan, policy: { rules, data }, emptied: [...plan.emptied, ...emptied] };
}

async function sourcesOf(client: ApiClient, { digest }: PolicyEntry): Promise<BundleSources> {
  return bundleSources(await client.bytes(`/v1/policy/bundles/${digest}`));
}

function grantsIn(data: unknown): number {
  const config = typeof data === 'object' && data !== null && 'config' in data ? data.config : undefined;
  const grants =
    typeof config === 'object' && config !== null && 'allow_listed' in config
      ? config.allow_listed
      : undefined;
  return Array.isArray(grants) ? grants.length : 0;
}

/** Asks before everything of a kind is removed. */
export function confirmRemovals(options: ConfirmOptions): ConfirmRemovals {
  return async ({ emptied }) => {
    if (emptied.length === 0) return;
    await confirm(options, removalText(emptied), 'Remove them?');
  };
}

/** Returns what would be removed, a kind a line. */
export function removalText(emptied: readonly Emptied[]): string {
  const lines = emptied.map(({ kind, count, names }) => {
    const more = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : '';
    const shown = names.length === 0 ? '' : `: ${names.slice(0, NAMES_SHOWN).join(', ')}${more}`;
    return oneLine(`  ${kind} (${count})${shown}`);
  });
  return ['The configuration removes everything of a kind:', ...lines].join('\n');
}
