import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { personListSchema, toolListSchema } from '@interlock/contracts';
import { exitCodes, failureOf, systemClock } from '@interlock/shell';
import type { Command } from 'commander';
import { z } from 'zod';
import { consoleDoor, ingressDoor, tokenOf } from '../client.ts';
import { type Context, readContext } from '../context.ts';
import { print, table } from '../output.ts';
import { dataFiles, placesOf } from '../places.ts';
import { type CommonOptions, command } from './options.ts';

interface Check {
  check: string;
  ok: boolean;
  found: string;
}

/** Bits by which others than the owner could read or write. */
const OTHERS = 0o077;

/** `interlock doctor`: is everything there, does it answer, and who can read the keys. */
export function doctorCommand(): Command {
  return command('doctor', 'check that everything is in place', 'interlock doctor').action(
    async (options: CommonOptions) => {
      const { data } = placesOf(options);
      const context = await readContext(data);
      const checks: Check[] = [
        { check: 'node', ok: true, found: process.version },
        ...(await checkModes(data)),
        await tryOut('console answers', () => askConsole(context)),
        await tryOut('ingress answers', () => askIngress(context)),
        ...checkKeys(context),
      ];
      const rows = checks.map(({ check, ok, found }) => [ok ? 'ok' : 'NOT OK', check, found]);
      print(options, { healthy: checks.every(({ ok }) => ok), checks }, table(['', 'check', 'found'], rows));
      if (!checks.every(({ ok }) => ok)) process.exitCode = exitCodes.failed;
    },
  );
}

async function askConsole(context: Context): Promise<string> {
  if (context.console === undefined) return await Promise.reject(new Error('nothing was ever started here'));
  const door = consoleDoor(context.console, tokenOf(context));
  const { people } = await door.ask({ method: 'GET', path: '/v1/people', reply: personListSchema });
  return `${context.console}, ${people.length} people`;
}

async function askIngress(context: Context): Promise<string> {
  const [name, key] = Object.entries(context.agents)[0] ?? [];
  if (context.ingress === undefined || key === undefined)
    return await Promise.reject(new Error('there is no key of an agent here'));
  const door = ingressDoor(context.ingress, key.key);
  const reply = z.object({ tools: toolListSchema.shape.tools });
  const { tools } = await door.ask({ method: 'GET', path: '/v1/tools', reply });
  return `${context.ingress}, ${tools.length} tools for ${name}`;
}

function checkKeys({ agents }: Context): Check[] {
  const nowMs = systemClock.nowMs();
  return Object.entries(agents).map(([name, { notAfter }]) => ({
    check: `key of ${name}`,
    ok: notAfter > nowMs,
    found: `until ${new Date(notAfter).toISOString()}`,
  }));
}

async function checkModes(data: string): Promise<Check[]> {
  const { keys, context, operator } = dataFiles(data);
  const inside = await readdir(keys).catch(() => []);
  const files = [keys, ...inside.map((name) => path.join(keys, name)), operator, context];
  return await Promise.all(
    files.map((file) =>
      tryOut(`only its owner reads ${path.relative(data, file)}`, async () => {
        const { mode } = await stat(file);
        const text = `mode ${(mode & 0o777).toString(8).padStart(4, '0')}`;
        if ((mode & OTHERS) !== 0) throw new Error(text);
        return text;
      }),
    ),
  );
}

async function tryOut(check: string, attempt: () => Promise<string>): Promise<Check> {
  try {
    return { check, ok: true, found: await attempt() };
  } catch (error) {
    return { check, ok: false, found: failureOf(error).detail };
  }
}
