import { type PolicyEntry, type PolicyState, policyStateSchema } from '@interlock/contracts';
import { Failure } from '@interlock/shell';
import type { Command } from 'commander';
import { managementClientOf } from '../../client.ts';
import { print } from '../../output.ts';
import { readPolicyState } from '../../policy/bundles.ts';
import { submitted, untilTaken } from '../../policy/publishing.ts';
import { decidersText, entryText } from '../../policy/state-text.ts';
import { versionNumber } from '../../policy/version.ts';
import { type CommonOptions, command } from '../options.ts';

interface RollbackOptions extends CommonOptions {
  to?: number;
  reason?: string;
  as?: string;
}

/** `interlock policy rollback`: publishes the content of an earlier version as a new one. */
export function rollbackCommand(): Command {
  return command(
    'rollback',
    'let an earlier version decide again, as a new version',
    'interlock policy rollback --reason "refunds were too wide"',
  )
    .option('--to <version>', 'the version to go back to (default: the one before)', versionNumber)
    .option('--reason <text>', 'why, for the record')
    .option('--as <person>', 'who acts')
    .action(runRollback);
}

async function runRollback(options: RollbackOptions): Promise<void> {
  const client = await managementClientOf(options);
  const before = await readPolicyState(client);
  const to = options.to ?? versionBefore(before).version;
  const body = { to, ...(options.reason === undefined ? {} : { reason: options.reason }) };
  const state = await client.request({
    method: 'POST',
    path: '/v1/policy/rollback',
    body,
    reply: policyStateSchema,
  });
  const { entry } = submitted(before, state, 'current');
  const deciders = await untilTaken(client, 'current', entry);
  const { version, digest, rollbackOf } = entry;
  const text = `Published ${entryText(entry)}.\n\n${decidersText(deciders)}`;
  print(options, { version, digest, rollbackOf, deciders }, text);
}

/** Going back twice goes further back: a rollback counts as the version whose content it is. */
function versionBefore({ current, versions }: PolicyState): PolicyEntry {
  const from = current?.rollbackOf ?? current?.version ?? 0;
  const found = versions.find(
    ({ version, digest, rollbackOf }) =>
      version < from && rollbackOf === undefined && digest !== current?.digest,
  );
  if (found !== undefined) return found;
  throw new Failure('policy_version_unknown', 'There is no version before the one that decides.', {
    next: 'See interlock policy status.',
  });
}
