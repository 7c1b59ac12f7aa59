import { type SwitchTarget, switchListSchema } from '@interlock/contracts';
import { usage } from '@interlock/shell';
import type { Command } from 'commander';
import type { z } from 'zod';
import { managementClientOf } from '../client.ts';
import { instant, plain, print, table } from '../output.ts';
import { agentName, type CommonOptions, command } from './options.ts';

interface KillOptions extends CommonOptions {
  as?: string;
  agent?: ReturnType<typeof agentName>;
  tool?: string;
  tenant?: string;
  credential?: string;
  all?: boolean;
  off?: boolean;
  reason?: string;
}

/** `interlock kill`: stops calls at once, or lists what is stopped. */
export function killCommand(): Command {
  return command(
    'kill',
    'stop calls at once; without a target, list what is stopped',
    'interlock kill --agent acme/helper --reason "odd calls"',
  )
    .option('--agent <tenant/agent>', 'of one agent', agentName)
    .option('--tool <tool>', 'of one tool')
    .option('--tenant <tenant>', 'of one tenant')
    .option('--credential <name>', 'that need one credential')
    .option('--all', 'all of them')
    .option('--off', 'let them go on again')
    .option('--reason <text>', 'why')
    .option('--as <person>', 'who acts')
    .action(runKill);
}

async function runKill(options: KillOptions): Promise<void> {
  const target = targetOf(options);
  if (target === undefined && options.off === true) throw usage('Say what is to go on again.');
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
  print(options, list, textOf(list));
}

function targetOf({ agent, tool, tenant, credential, all }: KillOptions): SwitchTarget | undefined {
  const targets: SwitchTarget[] = [
    ...(agent === undefined ? [] : [{ kind: 'agent' as const, ...agent }]),
    ...(tool === undefined ? [] : [{ kind: 'tool' as const, tool }]),
    ...(tenant === undefined ? [] : [{ kind: 'tenant' as const, tenant }]),
    ...(credential === undefined ? [] : [{ kind: 'credential' as const, credential }]),
    ...(all === true ? [{ kind: 'all' as const }] : []),
  ];
  if (targets.length > 1) throw usage('One switch at a time: name one target.');
  return targets[0];
}

function textOf({ switches }: z.infer<typeof switchListSchema>): string {
  if (switches.length === 0) return 'Nothing is stopped.';
  const rows = switches.map(({ key, on, by, at, reason }) => [
    key,
    on ? 'stopped' : 'goes on',
    by,
    instant(at),
    reason,
  ]);
  return plain(table(['what', 'state', 'by', 'since', 'reason'], rows));
}
