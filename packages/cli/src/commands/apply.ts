import { type Applied, personListSchema } from '@interlock/contracts';
import type { Command } from 'commander';
import { applyConfiguration, bundlePolicies, signedBundle } from '../applying.ts';
import { managementClient, notRunning, tokenOf } from '../client.ts';
import { readContext, writeContext } from '../context.ts';
import { foldersOf } from '../folders.ts';
import { loadConfiguration } from '../load-configuration.ts';
import { print } from '../output.ts';
import { withTokens } from '../tokens.ts';
import { type CommonOptions, command } from './options.ts';

interface ApplyOptions extends CommonOptions {
  as?: string;
}

/** `interlock apply`: hands a configuration folder to a running house. */
export function applyCommand(): Command {
  return command('apply', 'check a configuration folder and apply it', 'interlock apply examples/quickstart')
    .argument('[dir]', 'configuration folder; --config when left out')
    .option('--as <person>', 'who acts')
    .action(runApply);
}

async function runApply(dir: string | undefined, options: ApplyOptions): Promise<void> {
  const { config, data } = foldersOf(options);
  const loaded = await loadConfiguration(dir === undefined ? config : foldersOf({ config: dir }).config);
  const bundle = await bundlePolicies(loaded.policies, new AbortController().signal);
  const context = await readContext(data);
  if (context.console === undefined) throw notRunning(data);
  const client = managementClient(context.console, tokenOf(context, options.as));

  // Whoever the house knows keeps the token it has; only somebody new gets one here.
  const { people: standing } = await client.request({
    method: 'GET',
    path: '/v1/people',
    reply: personListSchema,
  });
  const known = new Set(standing.map(({ person }) => person));
  const fresh = withTokens(
    context,
    loaded.people.filter(({ person }) => !known.has(person)),
  );
  const people = loaded.people.map(
    (person) => fresh.people.find((one) => one.person === person.person) ?? person,
  );
  await writeContext(data, { ...context, people: fresh.context.people });
  const applied = await applyConfiguration(client, loaded, {
    people,
    policy: await signedBundle(data, bundle),
  });
  print(options, applied, textOf(applied));
}

function textOf({ created, changed, removed, unchanged, unlisted }: Applied): string {
  const lines = [
    ...created.map((name) => `created   ${name}`),
    ...changed.map((name) => `changed   ${name}`),
    ...removed.map((name) => `removed   ${name}`),
    ...unlisted.map((name) => `unlisted  ${name} (it stays until it is revoked)`),
  ];
  return [...lines, `${unchanged} unchanged`].join('\n');
}
