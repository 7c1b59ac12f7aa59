import { personListSchema, toolListSchema } from '@interlock/contracts';
import { failureOf, systemClock } from '@interlock/shell';
import type { Command } from 'commander';
import { z } from 'zod';
import { ingressClient, managementClient, notRunning, tokenOf } from '../client.ts';
import { configurationAround } from '../configuration-around.ts';
import { type Context, readContext } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { foldersOf } from '../folders.ts';
import { print, table } from '../output.ts';
import { type CommonOptions, command } from './options.ts';

/** One thing that was checked: whether it is as it should be, and what was found. */
export interface Check {
  check: string;
  ok: boolean;
  found: string;
}

/** `interlock doctor`: checks both APIs and the keys of the context, and what an installation adds for its data folder. */
export function doctorCommand(checkInstallation: (data: string) => Promise<Check[]>): Command {
  return command(
    'doctor',
    'check that Interlock runs and that its keys are private',
    'interlock doctor',
  ).action(async (options: CommonOptions) => {
    const { config, data } = foldersOf(options);
    const context = await readContext(data);
    const checks: Check[] = [
      { check: 'node', ok: true, found: process.version },
      await checkConfiguration(config),
      ...(await checkInstallation(data)),
      await checked('console answers', () => checkManagement(context, data)),
      await checked('ingress answers', () => checkIngress(context, data)),
      ...checkKeys(context),
    ];
    const healthy = checks.every(({ ok }) => ok);
    const rows = checks.map(({ check, ok, found }) => [ok ? 'ok' : 'NOT OK', check, found]);
    print(options, { healthy, checks }, table(['', 'check', 'found'], rows));
    if (!healthy) process.exitCode = exitCodes.failed;
  });
}

/** Runs one check; what it throws is what was found. */
export async function checked(check: string, run: () => Promise<string>): Promise<Check> {
  try {
    return { check, ok: true, found: await run() };
  } catch (error) {
    return { check, ok: false, found: failureOf(error).detail };
  }
}

async function checkConfiguration(config: string): Promise<Check> {
  const check = 'configuration';
  try {
    const { mistakes } = await configurationAround(undefined, config);
    const { refused, warnings } = mistakes;
    const found = [...refused, ...warnings.map((line) => `warning: ${line}`)].join('; ');
    return { check, ok: refused.length === 0, found: found === '' ? 'nothing wrong' : found };
  } catch (error) {
    return { check, ok: false, found: failureOf(error).detail };
  }
}

async function checkManagement(context: Context, data: string): Promise<string> {
  if (context.console === undefined) throw notRunning(data);
  const client = managementClient(context.console, tokenOf(context), context.trust);
  const { people } = await client.request({ method: 'GET', path: '/v1/people', reply: personListSchema });
  return `${context.console}, ${people.length} people`;
}

async function checkIngress(context: Context, data: string): Promise<string> {
  if (context.ingress === undefined) throw notRunning(data);
  const [name, key] = Object.entries(context.agents)[0] ?? [];
  if (key === undefined) throw new Error('not checked: the data folder holds no key of an agent');
  const client = ingressClient(context.ingress, key.key, context.trust);
  const reply = z.object({ tools: toolListSchema.shape.tools });
  const { tools } = await client.request({ method: 'GET', path: '/v1/tools', reply });
  return `${context.ingress}, ${tools.length} tools for ${name}`;
}

function checkKeys({ agents }: Context): Check[] {
  const nowMs = systemClock.nowMs();
  return Object.entries(agents).map(([name, { notAfter }]) => ({
    check: `key of ${name}`,
    ok: notAfter > nowMs,
    found: `${notAfter > nowMs ? 'valid' : 'expired'}, until ${new Date(notAfter).toISOString()}`,
  }));
}
