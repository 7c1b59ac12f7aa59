import {
  agentListSchema,
  credentialListSchema,
  type SwitchTarget,
  switchListSchema,
} from '@interlock/contracts';
import { meantText } from '@interlock/policy-analysis';
import { failureOf } from '@interlock/shell';
import type { Command } from 'commander';
import type { z } from 'zod';
import { type ApiClient, managementClientOf } from '../client.ts';
import { exitCodes, usage } from '../exit-codes.ts';
import { instant, print, report, table } from '../output.ts';
import { toolsSchema } from '../tools.ts';
import { agentName, type ManagementOptions, managementCommand } from './options.ts';

interface KillOptions extends ManagementOptions {
  agent?: ReturnType<typeof agentName>;
  tool?: string;
  tenant?: string;
  credential?: string;
  all?: boolean;
  off?: boolean;
  reason?: string;
}

/** `interlock kill`: turns kill switches on and off, or lists them. */
export function killCommand(): Command {
  return managementCommand(
    'kill',
    'stop calls at once by a kill switch; without a target, list the kill switches',
    'interlock kill --agent acme/helper --reason "odd calls"',
  )
    .option('--agent <tenant/agent>', 'stop all calls of this agent', agentName)
    .option('--tool <tool>', 'stop all calls of this tool')
    .option('--tenant <tenant>', 'stop all calls of this tenant')
    .option('--credential <name>', 'stop all calls that need this credential')
    .option('--all', 'stop every call')
    .option('--off', 'turn the switch off: let these calls pass again')
    .option('--reason <text>', 'the reason, for the record')
    .action(runKill);
}

async function runKill(options: KillOptions): Promise<void> {
  const target = targetOf(options);
  if (target === undefined && options.off === true)
    throw usage('--off needs a target, such as --agent acme/helper.');
  const client = await managementClientOf(options);
  const { reason, off } = options;
  const list =
    target === undefined
      ? await client.request({ method: 'GET', path: '/v1/kill', reply: switchListSchema })
      : await client.request({
          method: 'POST',
          path: '/v1/kill',
          body: { target, on: off !== true, ...(reason === undefined ? {} : { reason }) },
          reply: switchListSchema,
        });
  // The switch is set: a person sees that before anything else is asked. A document also has what is known of the name.
  if (options.json !== true) print(options, list, textOf(list));
  const unknown = target === undefined || off === true ? undefined : await unknownText(client, target);
  if (options.json === true) print(options, unknown === undefined ? list : { ...list, unknown }, '');
  if (unknown === undefined) return;
  // The switch is set all the same: it would hold for what gets this name.
  process.exitCode = exitCodes.failed;
  report(unknown);
}

/** Returns what to say about a target that does not exist: nothing was stopped by its switch. Warns where that cannot be determined. */
async function unknownText(client: ApiClient, target: SwitchTarget): Promise<string | undefined> {
  if (target.kind === 'all') return undefined;
  try {
    const { name, known } = await namesFor(client, target);
    if (known.includes(name)) return undefined;
    return `No ${target.kind} has the name ${name}${meantText(name, known) || '.'} The switch concerns nothing that exists.`;
  } catch (error) {
    const { detail } = failureOf(error);
    report(`warning: the switch is set; whether any ${target.kind} has that name is not known: ${detail}`);
    return undefined;
  }
}

async function namesFor(
  client: ApiClient,
  target: Exclude<SwitchTarget, { kind: 'all' }>,
): Promise<{ name: string; known: string[] }> {
  const get = { method: 'GET' } as const;
  switch (target.kind) {
    case 'tool': {
      const { tools } = await client.request({ ...get, path: '/v1/tools', reply: toolsSchema });
      return { name: target.tool, known: tools.map(({ name }) => name) };
    }
    case 'credential': {
      const { credentials } = await client.request({
        ...get,
        path: '/v1/credentials',
        reply: credentialListSchema,
      });
      return { name: target.credential, known: credentials.map(({ name }) => name) };
    }
    case 'agent': {
      const { agents } = await client.request({ ...get, path: '/v1/agents', reply: agentListSchema });
      return {
        name: `${target.tenant}/${target.agent}`,
        known: agents.map(({ tenant, agent }) => `${tenant}/${agent}`),
      };
    }
    case 'tenant': {
      const { agents } = await client.request({ ...get, path: '/v1/agents', reply: agentListSchema });
      return { name: target.tenant, known: agents.map(({ tenant }) => tenant) };
    }
    default:
      return target satisfies never;
  }
}

function targetOf({ agent, tool, tenant, credential, all }: KillOptions): SwitchTarget | undefined {
  const targets: SwitchTarget[] = [
    ...(agent === undefined ? [] : [{ kind: 'agent' as const, ...agent }]),
    ...(tool === undefined ? [] : [{ kind: 'tool' as const, tool }]),
    ...(tenant === undefined ? [] : [{ kind: 'tenant' as const, tenant }]),
    ...(credential === undefined ? [] : [{ kind: 'credential' as const, credential }]),
    ...(all === true ? [{ kind: 'all' as const }] : []),
  ];
  if (targets.length > 1) throw usage('Name one target only.');
  return targets[0];
}

function textOf({ switches }: z.infer<typeof switchListSchema>): string {
  if (switches.length === 0) return 'No kill switch is on.';
  const rows = switches.map(({ key, on, by, at, reason }) => [
    key,
    on ? 'stopped' : 'not stopped',
    by,
    instant(at),
    reason,
  ]);
  const shown = table(['target', 'state', 'by', 'since', 'reason'], rows);
  return switches.every(({ stored }) => stored) ? shown : `${shown}\n${NOT_STORED}`;
}

const NOT_STORED =
  'This is in force in every service that runs, and is not stored yet: NATS cannot write. The console stores it as soon as that is possible; until then a restart of the console forgets it. Look at: interlock doctor';
