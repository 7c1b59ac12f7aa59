import type { Command } from 'commander';
import { managementClientOf } from '../../client.ts';
import { print } from '../../output.ts';
import { readPolicyState } from '../../policy/bundles.ts';
import { stateText } from '../../policy/state-text.ts';
import { type ManagementOptions, managementCommand } from '../options.ts';

/** `interlock policy status`: shows what is published, and what each decider uses. */
export function statusCommand(): Command {
  return managementCommand(
    'status',
    'show the policy in force, the candidate, and the versions that each decider uses',
    'interlock policy status',
  ).action(async (options: ManagementOptions) => {
    const state = await readPolicyState(await managementClientOf(options));
    print(options, state, stateText(state));
  });
}
