import { type Applied, personListSchema } from '@interlock/contracts';
import type { Command } from 'commander';
import { applyConfiguration, bundlePolicies, signedBundle } from '../applying.ts';
import { managementClient, notRunning, tokenOf } from '../client.ts';
import { agreeAtTerminal, listCommands } from '../commands-file.ts';
import type { ConfirmOptions } from '../confirm.ts';
import { readContext, writeContext } from '../context.ts';
import { foldersOf } from '../folders.ts';
import { issueText, loadConfiguration } from '../load-configuration.ts';
import { print, report } from '../output.ts';
import { untilPolicyUsed } from '../policy/publishing.ts';
import { withTokens } from '../tokens.ts';
import { type ManagementOptions, managementCommand } from './options.ts';

/** `interlock apply`: applies a configuration folder to a running installation. */
export function applyCommand(): Command {
  return managementCommand(
    'apply',
    'check a configuration folder and apply it',
    'interlock apply my-interlock',
  )
    .argument('[dir]', 'configuration folder (default: that of --config)')
    .option('--yes', 'agree to start the programs that the configuration names')
    .action(runApply);
}

async function runApply(dir: string | undefined, options: ManagementOptions & ConfirmOptions): Promise<void> {
  const { config, data } = foldersOf(options);
  const loaded = await loadConfiguration(
    dir === undefined ? config : foldersOf({ config: dir }).config,
    data,
  );
  for (const warning of loaded.warnings) report(`warning: ${issueText(warning)}`);
  const bundle = await bundlePolicies(loaded.policies, new AbortController().signal);
  const context = await readContext(data);
  if (context.console === undefined) throw notRunning(data);
  const client = managementClient(context.console, tokenOf(context, options.as));

  // A person whom the console knows keeps the token it has; only a new person gets one here.
  const { people: existing } = await client.request({
    method: 'GET',
    path: '/v1/people',
    reply: personListSchema,
  });
  const known = new Set(existing.map(({ person }) => person));
  const added = withTokens(
    context,
    loaded.people.filter(({ person }) => !known.has(person)),
  );
  const people = loaded.people.map(
    (person) => added.people.find((one) => one.person === person.person) ?? person,
  );
  await writeContext(data, { ...context, people: added.context.people });
  const listed = await listCommands(data, loaded, agreeAtTerminal(options));
  const applied = await applyConfiguration(client, loaded, {
    people,
    policy: await signedBundle(data, bundle),
  });
  await listed.onlyNow();
  await untilPolicyUsed(client);
  print(options, applied, textOf(applied));
}

function textOf({ created, changed, removed, unchanged, unlisted }: Applied): string {
  const lines = [
    ...created.map((name) => `created   ${name}`),
    ...changed.map((name) => `changed   ${name}`),
    ...removed.map((name) => `removed   ${name}`),
    ...unlisted.map((name) => `unlisted  ${name} (not in the configuration; it stays until it is revoked)`),
  ];
  return [...lines, `${unchanged} unchanged`].join('\n');
}
