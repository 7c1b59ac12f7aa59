/** What policy would let an agent ask for at all. */
import type { PolicyInput } from '@interlock/contracts';
import { explainablePolicy } from '@interlock/policy-analysis';
import { systemClock } from '@interlock/shell';
import type { ApiClient } from '../client.ts';
import type { FolderOptions } from '../folders.ts';
import { openPublished, readPolicyState } from './bundles.ts';
import { imaginedInputs, knownThere } from './imagined-input.ts';

export interface OfferedTools {
  /** Every tool of the installation. */
  all: string[];
  /** Those that some rule of the policy in force offers to the agent, and none withholds from it. */
  offered: string[];
}

/** Returns the tools that an agent may ask for. Throws the console's refusal. */
export async function offeredTools(
  client: ApiClient,
  subject: Pick<PolicyInput['subject'], 'tenant' | 'agent' | 'user' | 'roles'>,
  options: FolderOptions,
): Promise<OfferedTools> {
  const [known, { current }] = await Promise.all([knownThere(client), readPolicyState(client)]);
  const all = known.tools.map(({ name }) => name);
  if (current === undefined) return { all, offered: [] };
  const { held, bytes } = await openPublished(client, current, options);
  const policy = explainablePolicy(held.policy, bytes);
  const calls = all.map((tool) => ({ tool, subject }));
  const inputs = await imaginedInputs(calls, { known, data: policy.data, nowMs: systemClock.nowMs() });
  const isOffered = (input: (typeof inputs)[number]) => {
    const { offers, allow, withholds } = policy.explain(input);
    return withholds.length === 0 && offers.length + allow.length > 0;
  };
  return { all, offered: inputs.filter(isOffered).map(({ tool }) => tool.name) };
}
