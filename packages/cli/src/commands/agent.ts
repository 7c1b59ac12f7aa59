import { type AgentKey, agentKeySchema, agentListSchema, agentViewSchema } from '@interlock/contracts';
import { failureOf } from '@interlock/shell';
import { Command } from 'commander';
import { type ApiClient, managementClientOf } from '../client.ts';
import { readContext, writeContext } from '../context.ts';
import { foldersOf } from '../folders.ts';
import { instant, print, report, table } from '../output.ts';
import { offeredTools } from '../policy/offered-tools.ts';
import { agentName, type ManagementOptions, managementCommand, wholeNumber } from './options.ts';

interface AgentOptions extends ManagementOptions {
  user?: string;
  roles?: string[];
  overlapMs?: number;
  validDays?: number;
  keyId?: string;
}
type Name = ReturnType<typeof agentName>;

const DAY_MS = 86_400_000;

/** `interlock agent`: agents and their keys. */
export function agentCommand(): Command {
  return new Command('agent')
    .description('create agents, and create, rotate and revoke their keys')
    .addCommand(createCommand())
    .addCommand(rotateCommand())
    .addCommand(revokeCommand())
    .addCommand(listCommand())
    .addHelpText('after', '\nExample:\n  $ interlock agent create acme/helper --user ada');
}

function createCommand(): Command {
  return named(
    'create',
    'create an agent and print its key, once',
    'interlock agent create acme/helper --user ada',
  )
    .requiredOption('--user <user>', 'the user it acts for')
    .option('--roles <role...>', 'its roles')
    .option('--valid-days <days>', 'days until the key expires (default: 90)', wholeNumber)
    .action(async (name: Name, options: AgentOptions) => {
      const { user = '', roles } = options;
      const body = { ...name, user, ...(roles === undefined ? {} : { roles }), ...validityOf(options) };
      const client = await managementClientOf(options);
      const reply = agentKeySchema;
      const created = await client.request({ method: 'POST', path: '/v1/agents', body, reply });
      await showKey(options, created);
      await reportGrants(client, { ...name, user, roles: roles ?? [] }, options);
    });
}

function rotateCommand(): Command {
  return named(
    'rotate',
    'create and print a new key; the old keys expire a while later',
    'interlock agent rotate acme/helper',
  )
    .option('--overlap-ms <ms>', 'milliseconds until the old keys expire (default: 3600000)', wholeNumber)
    .option('--valid-days <days>', 'days until the new key expires (default: 90)', wholeNumber)
    .action(async (name: Name, options: AgentOptions) => {
      const { overlapMs } = options;
      const body = { ...(overlapMs === undefined ? {} : { overlapMs }), ...validityOf(options) };
      const client = await managementClientOf(options);
      const path = `/v1/agents/${name.tenant}/${name.agent}/rotate`;
      await showKey(options, await client.request({ method: 'POST', path, body, reply: agentKeySchema }));
    });
}

function revokeCommand(): Command {
  return named('revoke', 'revoke all keys of an agent, or one', 'interlock agent revoke acme/helper')
    .option('--key-id <id>', 'revoke this key alone')
    .action(async (name: Name, options: AgentOptions) => {
      const body = options.keyId === undefined ? {} : { keyId: options.keyId };
      const client = await managementClientOf(options);
      const path = `/v1/agents/${name.tenant}/${name.agent}/revoke`;
      const agent = await client.request({ method: 'POST', path, body, reply: agentViewSchema });
      await forgetKey(options, name, agent.keys);
      print(options, agent, `${name.tenant}/${name.agent} has ${agent.keys.length} valid keys.`);
    });
}

function listCommand(): Command {
  return managementCommand('list', 'list the agents', 'interlock agent list').action(
    async (options: AgentOptions) => {
      const client = await managementClientOf(options);
      const { agents } = await client.request({ method: 'GET', path: '/v1/agents', reply: agentListSchema });
      const rows = agents.map(({ tenant, agent, user, roles, keys }) => [
        `${tenant}/${agent}`,
        user,
        roles.join(','),
        keys.map(({ keyId, notAfter }) => `${keyId} until ${instant(notAfter)}`).join(', '),
      ]);
      print(options, { agents }, table(['agent', 'user', 'roles', 'keys'], rows));
    },
  );
}

function named(name: string, description: string, example: string): Command {
  return managementCommand(name, description, example).argument(
    '<tenant/agent>',
    'the agent; without a tenant, an agent of the tenant default',
    agentName,
  );
}

function validityOf({ validDays }: AgentOptions): { validMs?: number } {
  return validDays === undefined ? {} : { validMs: validDays * DAY_MS };
}

/** Says which tools the new agent may ask for; where there is none, how to grant it some. The key is there in any case. */
async function reportGrants(
  client: ApiClient,
  created: Parameters<typeof offeredTools>[1],
  options: AgentOptions,
): Promise<void> {
  const { tenant, agent } = created;
  const name = `${tenant}/${agent}`;
  try {
    const { all, offered } = await offeredTools(client, created, options);
    if (offered.length > 0) {
      report(`${name} may ask for ${offered.length} of ${all.length} tools: ${listed(offered)}`);
      return;
    }
    report(`no grant covers ${name} yet, so every call of it is denied. Put the tools that it may call into`);
    report(
      'this grant and the grant below config.allow_listed in policies/data.yaml, then run interlock apply:',
    );
    report(`    - { tenants: [${tenant}], agents: [${agent}], tools: [TOOL] }`);
    report(`tools: ${all.length === 0 ? 'none yet' : listed(all)}`);
  } catch (error) {
    report(`which tools ${name} may ask for is not known here: ${failureOf(error).detail}`);
  }
}

const LISTED_MAX = 20;

function listed(names: readonly string[]): string {
  const more = names.length > LISTED_MAX ? ` and ${names.length - LISTED_MAX} more` : '';
  return `${names.slice(0, LISTED_MAX).join(', ')}${more}`;
}

/** Prints a key and keeps it in the context for `interlock call`: it is not printed again. */
async function showKey(options: AgentOptions, created: AgentKey): Promise<void> {
  const { tenant, agent, keyId, key, notAfter } = created;
  const { data } = foldersOf(options);
  const context = await readContext(data);
  const agents = { ...context.agents, [`${tenant}/${agent}`]: { keyId, key, notAfter } };
  await writeContext(data, { ...context, agents });
  print(options, created, key);
  if (options.json !== true)
    report(`this key of ${tenant}/${agent} is printed only once; it is valid until ${instant(notAfter)}`);
}

async function forgetKey(
  options: AgentOptions,
  { tenant, agent }: Name,
  left: { keyId: string }[],
): Promise<void> {
  const { data } = foldersOf(options);
  const context = await readContext(data);
  const { [`${tenant}/${agent}`]: known, ...agents } = context.agents;
  if (known === undefined || left.some(({ keyId }) => keyId === known.keyId)) return;
  await writeContext(data, { ...context, agents });
}
