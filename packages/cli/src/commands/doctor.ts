import { personListSchema, toolListSchema } from '@interlock/contracts';
import { Failure, failureOf, systemClock } from '@interlock/shell';
import type { Command } from 'commander';
import { z } from 'zod';
import { type Check, checked } from '../check.ts';
import { type ApiClient, ingressClient, managementClient, notRunning, tokenOf } from '../client.ts';
import { type Context, readContext } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { foldersOf } from '../folders.ts';
import {
  ConfigurationFailure,
  issueText,
  type LoadedConfiguration,
  loadConfiguration,
} from '../load-configuration.ts';
import { checkApplied } from '../management-checks.ts';
import { oneLine, print, table } from '../output.ts';
import { type CommonOptions, command } from './options.ts';

/** `interlock doctor`: checks the configuration, both APIs and what was applied, and what an installation adds for its data folder. */
export function doctorCommand(checkInstallation: (data: string) => Promise<Check[]>): Command {
  return command(
    'doctor',
    'check the configuration, every service and server, what was applied, and that keys are private',
    'interlock doctor',
  ).action(async (options: CommonOptions) => {
    const { config, data } = foldersOf(options);
    const context = await readContext(data);
    const { check, loaded } = await readConfiguration(config, data);
    const management = await checked('console answers', () => checkManagement(context, data));
    const checks: Check[] = [
      { check: 'node', ok: true, found: process.version },
      check,
      ...(await checkInstallation(data)),
      management,
      await checked('ingress answers', () => checkIngress(context, data)),
      ...(management.ok ? await checkApplied(clientOf(context, data), loaded) : []),
      ...checkKeys(context),
    ];
    const healthy = checks.every(({ ok }) => ok);
    print(options, { healthy, checks }, textOf(checks));
    if (!healthy) process.exitCode = exitCodes.failed;
  });
}

function textOf(checks: readonly Check[]): string {
  const rows = checks.map(({ check, ok, found, next }) => [
    ok ? (next === undefined ? 'ok' : 'warn') : 'NOT OK',
    check,
    found,
  ]);
  const nexts = checks.flatMap(({ check, next }) =>
    next === undefined ? [] : [`  ${check}: ${oneLine(next)}`],
  );
  const list = table(['', 'check', 'found'], rows);
  return nexts.length === 0 ? list : [list, '', 'What to do:', ...nexts].join('\n');
}

async function readConfiguration(
  config: string,
  data: string,
): Promise<{ check: Check; loaded: LoadedConfiguration | undefined }> {
  const check = 'configuration';
  try {
    const loaded = await loadConfiguration(config, data);
    const warnings = loaded.warnings.map((issue) => `warning: ${issueText(issue)}`);
    if (warnings.length === 0) return { check: { check, ok: true, found: 'nothing wrong' }, loaded };
    const next = 'Correct the files where that is not meant: it can only refuse calls.';
    return { check: { check, ok: true, found: warnings.join('; '), next }, loaded };
  } catch (error) {
    if (error instanceof ConfigurationFailure)
      return {
        check: {
          ...{ check, ok: false, found: error.issues.map(issueText).join('; ') },
          next: 'Correct the files. apply and up refuse them.',
        },
        loaded: undefined,
      };
    const { code, detail, next } = failureOf(error);
    // The configuration of an installation may be on another machine.
    const ok = code === 'configuration_missing';
    const found = ok ? `not checked: ${detail}` : detail;
    return {
      check: { check, ok, found, ...(next === undefined || ok ? {} : { next }) },
      loaded: undefined,
    };
  }
}

function clientOf(context: Context, data: string): ApiClient {
  if (context.console === undefined) throw notRunning(data);
  return managementClient(context.console, tokenOf(context), context.trust);
}

async function checkManagement(context: Context, data: string): Promise<string> {
  const client = clientOf(context, data);
  const { people } = await client.request({ method: 'GET', path: '/v1/people', reply: personListSchema });
  return `${context.console}, ${people.length} people`;
}

async function checkIngress(context: Context, data: string): Promise<string> {
  if (context.ingress === undefined) throw notRunning(data);
  const [name, key] = Object.entries(context.agents)[0] ?? [];
  if (key === undefined)
    throw new Failure('agent_unknown', 'not checked: the data folder holds no key of an agent', {
      next: 'Make one with interlock agent create.',
    });
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
    ...(notAfter > nowMs ? {} : { next: `Make a new one: interlock agent rotate ${name}` }),
  }));
}
