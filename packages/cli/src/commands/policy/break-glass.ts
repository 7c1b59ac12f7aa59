import { type EmergencyEntry, emergencyListSchema, emergencyOpenSchema } from '@interlock/contracts';
import { type Command, InvalidArgumentError } from 'commander';
import { type ApiClient, managementClientOf } from '../../client.ts';
import { usage } from '../../exit-codes.ts';
import { instant, print, table } from '../../output.ts';
import { agentName, type ManagementOptions, managementCommand } from '../options.ts';

interface BreakGlassOptions extends ManagementOptions {
  tools?: string[];
  reason?: string;
  for?: number;
  end?: boolean;
  list?: boolean;
}

type AgentName = ReturnType<typeof agentName>;

/** `interlock policy break-glass`: opens an emergency, in which one agent's calls need no grant and no approval. */
export function breakGlassCommand(): Command {
  return managementCommand(
    'break-glass',
    'let an agent call tools without a grant or an approval for a limited time; rules that deny still apply',
    'interlock policy break-glass acme/helper --tools refund --reason "the till is down" --for 30m',
  )
    .argument('[tenant/agent]', 'the agent', agentName)
    .option('--tools <names>', "the tools, separated by commas; '*' for all", toolNames)
    .option('--reason <text>', 'the reason, recorded with every call')
    .option('--for <duration>', 'the duration, from 1m to 4h', duration)
    .option('--end', 'end the emergency now')
    .option('--list', 'list the open emergencies')
    .action(runBreakGlass);
}

async function runBreakGlass(agent: AgentName | undefined, options: BreakGlassOptions): Promise<void> {
  const { end, list } = options;
  if (end === true && list === true) throw usage('Use either --end or --list.');
  if (list === true && agent === undefined) {
    const open = await listEmergencies(await managementClientOf(options));
    print(options, open, textOf(open.emergencies));
    return;
  }
  if (agent === undefined || list === true)
    throw usage(
      list === true ? '--list takes no agent.' : 'Name the agent, or list emergencies with --list.',
    );
  if (end === true) {
    await endEmergency(agent, options);
    return;
  }
  const body = bodyOf(agent, options);
  const client = await managementClientOf(options);
  const opened = await client.request({
    method: 'POST',
    path: '/v1/emergencies',
    body,
    reply: emergencyListSchema,
  });
  print(options, opened, textOf(opened.emergencies));
}

function bodyOf(agent: AgentName, { tools, reason, for: forMs }: BreakGlassOptions): object {
  if (tools === undefined || reason === undefined || forMs === undefined)
    throw usage('An emergency needs --tools, --reason and --for.');
  return emergencyOpenSchema.parse({ ...agent, tools, reason, forMs });
}

async function endEmergency({ tenant, agent }: AgentName, options: BreakGlassOptions): Promise<void> {
  if (options.tools !== undefined || options.reason !== undefined || options.for !== undefined)
    throw usage('--end takes neither --tools nor --reason nor --for.');
  const client = await managementClientOf(options);
  const path = `/v1/emergencies/${tenant}/${agent}`;
  const left = await client.request({ method: 'DELETE', path, reply: emergencyListSchema });
  print(options, left, `The emergency of ${tenant}/${agent} has ended.`);
}

async function listEmergencies(client: ApiClient) {
  return await client.request({ method: 'GET', path: '/v1/emergencies', reply: emergencyListSchema });
}

function textOf(emergencies: EmergencyEntry[]): string {
  if (emergencies.length === 0) return 'No emergency is open.';
  const rows = emergencies.map(({ tenant, agent, tools, by, expiresAt, reason }) => [
    `${tenant}/${agent}`,
    tools.join(','),
    by,
    instant(expiresAt),
    reason,
  ]);
  return table(['agent', 'tools', 'by', 'until', 'reason'], rows);
}

function toolNames(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (emergencyOpenSchema.shape.tools.safeParse(names).success) return names;
  throw new InvalidArgumentError("Write names of tools separated by commas, or '*'.");
}

function duration(text: string): number {
  const [, count, unit] = /^([0-9]{1,3})(m|h)$/.exec(text) ?? [];
  const forMs = Number(count ?? 0) * (unit === 'h' ? 3_600_000 : 60_000);
  if (emergencyOpenSchema.shape.forMs.safeParse(forMs).success) return forMs;
  throw new InvalidArgumentError('Write a duration from 1m to 4h, such as 30m.');
}
