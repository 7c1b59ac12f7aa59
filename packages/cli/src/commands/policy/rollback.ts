import { type PolicyEntry, type PolicyState, policyStateSchema } from '@interlock/contracts';
import { Failure } from '@interlock/shell';
import type { Command } from 'commander';
import { managementClientOf } from '../../client.ts';
import { print } from '../../output.ts';
import { readPolicyState } from '../../policy/bundles.ts';
import { submitted, untilUsed } from '../../policy/publishing.ts';
import { decidersText, entryText } from '../../policy/state-text.ts';
import { versionNumber } from '../../policy/version.ts';
import { type ManagementOptions, managementCommand } from '../options.ts';

interface RollbackOptions extends ManagementOptions {
  to?: number;
  reason?: string;
}

/** `interlock policy rollback`: publishes the content of an earlier version as a new version. */
export function rollbackCommand(): Command {
  return managementCommand(
    'rollback',
    'put the content of an earlier version into force again, as a new version',
    'interlock policy rollback --reason "refunds were too wide"',
  )
    .option('--to <version>', 'the version to return to (default: the one before)', versionNumber)
    .option('--reason <text>', 'the reason, for the record')
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
  const deciders = await untilUsed(client, 'current', entry);
  const { version, digest, rollbackOf } = entry;
  const text = `Published ${entryText(entry)}.\n\n${decidersText(deciders)}`;
  print(options, { version, digest, rollbackOf, deciders }, text);
}

/** A second rollback returns further: a rollback counts as the version whose content it has. */
function versionBefore({ current, versions }: PolicyState): PolicyEntry {
  const from = current?.rollbackOf ?? current?.version ?? 0;
  const found = versions.find(
    ({ version, digest, rollbackOf }) =>
      version < from && rollbackOf === undefined && digest !== current?.digest,
  );
  if (found !== undefined) return found;
  throw new Failure('policy_version_unknown', 'No version was published before the one in force.', {
    next: 'See interlock policy status.',
  });
}
