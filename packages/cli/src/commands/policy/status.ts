import type { Command } from 'commander';
import { managementClientOf } from '../../client.ts';
import { print } from '../../output.ts';
import { readPolicyState } from '../../policy/bundles.ts';
import { stateText } from '../../policy/state-text.ts';
import { type CommonOptions, command } from '../options.ts';

/** `interlock policy status`: what is published, and what each decider holds. */
export function statusCommand(): Command {
  return command(
    'status',
    'tell which policy decides, which is the candidate, and what each decider holds',
    'interlock policy status',
  )
    .option('--as <person>', 'who asks')
    .action(async (options: CommonOptions & { as?: string }) => {
      const state = await readPolicyState(await managementClientOf(options));
      print(options, state, stateText(state));
    });
}
