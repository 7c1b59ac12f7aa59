import { type Applied, personListSchema } from '@interlock/contracts';
import { type Environment, processEnvironment } from '@interlock/shell';
import type { Command } from 'commander';
import { applyConfiguration, bundlePolicies, type Resolved, signedBundle } from '../applying.ts';
import { type ApiClient, managementClient, notRunning, tokenOf } from '../client.ts';
import { agreeAtTerminal, agreeToCommands } from '../commands-file.ts';
import type { ConfirmOptions } from '../confirm.ts';
import { type Context, readContext, writeContext } from '../context.ts';
import { reportUnsetCredentials } from '../credential-check.ts';
import { foldersOf } from '../folders.ts';
import { issueText, type LoadedConfiguration, loadConfiguration } from '../load-configuration.ts';
import { print, report } from '../output.ts';
import { confirmRemovals, type Plan, planOf, removalText } from '../plan.ts';
import { untilPolicyUsed } from '../policy/publishing.ts';
import { resolveTools, withKnown } from '../resolve-tools.ts';
import { withTokens } from '../tokens.ts';
import { listTools } from '../tools.ts';
import { type ManagementOptions, managementCommand } from './options.ts';

interface ApplyOptions extends ManagementOptions, ConfirmOptions {
  dryRun?: boolean;
}

/** `interlock apply`: applies a configuration folder to a running installation, which finds programs in `searchPath`. */
export function applyCommand(searchPath: (env: Environment) => string): Command {
  return managementCommand(
    'apply',
    'check a configuration folder and apply it',
    'interlock apply my-interlock --dry-run',
  )
    .argument('[dir]', 'configuration folder (default: that of --config)')
    .option('--dry-run', 'print what would change, and change nothing')
    .option(
      '--yes',
      'agree to start the programs that the configuration names, and to remove everything of a kind',
    )
    .action((dir: string | undefined, options: ApplyOptions) => runApply(dir, options, searchPath));
}

async function runApply(
  dir: string | undefined,
  options: ApplyOptions,
  searchPath: (env: Environment) => string,
): Promise<void> {
  const { config, data } = foldersOf(options);
  const env = processEnvironment();
  const { signal } = new AbortController();
  const loaded = await loadConfiguration(
    dir === undefined ? config : foldersOf({ config: dir }).config,
    data,
  );
  for (const warning of loaded.warnings) report(`warning: ${issueText(warning)}`);
  const bundle = await bundlePolicies(loaded.policies, signal);
  const context = await readContext(data);
  if (context.console === undefined) throw notRunning(data);
  const client = managementClient(context.console, tokenOf(context, options.as), context.trust);
  const commands = await agreeToCommands(data, loaded, agreeAtTerminal(options));
  const asking = { data, env: { ...env, PATH: searchPath(env) }, report, signal };
  const { tools, warnings } = await resolveTools(loaded, asking);
  for (const warning of warnings) report(`warning: ${issueText(warning)}`);
  const { people, added } = await peopleOf(client, context, loaded);
  const known = withKnown(loaded, tools, await listTools(client));
  const resolved: Resolved = { tools: known, people, policy: await signedBundle(data, bundle) };

  const plan = await planOf(client, loaded, resolved);
  if (options.dryRun === true) {
    await reportUnsetCredentials(client, loaded, report);
    print(options, { dryRun: true, ...plan }, planText(plan));
    return;
  }
  await confirmRemovals(options)(plan);
  await writeContext(data, added);
  await commands.list();
  const applied = await applyConfiguration(client, loaded, resolved);
  await commands.onlyNow();
  await untilPolicyUsed(client);
  await reportUnsetCredentials(client, loaded, report);
  print(options, applied, textOf(applied));
}

/** A person whom the console knows keeps the token it has; only a new person gets one here. */
async function peopleOf(client: ApiClient, context: Context, loaded: LoadedConfiguration) {
  const { people: existing } = await client.request({
    method: 'GET',
    path: '/v1/people',
    reply: personListSchema,
  });
  const known = new Set(existing.map(({ person }) => person));
  const tokens = withTokens(
    context,
    loaded.people.filter(({ person }) => !known.has(person)),
  );
  const people = loaded.people.map(
    (person) => tokens.people.find((one) => one.person === person.person) ?? person,
  );
  return { people, added: { ...context, people: tokens.context.people } };
}

function planText(plan: Plan): string {
  const { policy, emptied } = plan;
  const parts = (kind: string, changes: { added: string[]; removed: string[]; changed: string[] }) =>
    (['added', 'changed', 'removed'] as const).flatMap((verb) =>
      changes[verb].map((name) => `  ${kind} ${name} ${verb}`),
    );
  return [
    textOf(plan),
    ...(policy === undefined
      ? []
      : ['In the policy:', ...parts('rule', policy.rules), ...parts('data', policy.data)]),
    ...(emptied.length === 0 ? [] : [`${removalText(emptied)}\nWithout a terminal that needs --yes.`]),
    'Nothing was changed.',
  ].join('\n');
}

function textOf({ created, changed, removed, unchanged, unlisted }: Applied): string {
  const lines = [
    ...created.map((name) => `created   ${name}`),
    ...changed.map((name) => `changed   ${name}`),
    ...removed.map((name) => `removed   ${name}`),
    ...unlisted.map((name) => `unlisted  ${name} (not in the configuration; it stays${untilText(name)})`),
  ];
  return [...lines, `${unchanged} unchanged`].join('\n');
}

function untilText(name: string): string {
  return name.startsWith('agent/') ? ' until it is revoked' : '';
}
