/** What `interlock doctor` learns from the probes of an installation's services, and of the servers they need through them. */
import type { Check } from '@interlock/cli';
import { z } from 'zod';
import { readServiceList, type ServiceProcess } from './service-list.ts';

/** A service that is only slow has answered by then. */
const PROBE_TIMEOUT_MS = 5_000;

const readinessSchema = z.looseObject({
  ready: z.boolean(),
  checks: z.record(z.string(), z.union([z.literal(true), z.string()])),
});

interface Probed {
  name: string;
  /** By the name of the check, without that of a service before it; undefined where there was no answer. */
  checks: Readonly<Record<string, true | string>> | undefined;
}

/** The servers, the check that tells about each, and where to look. */
const servers = [
  { server: 'NATS', check: 'bus', log: 'nats-server' },
  { server: 'Redis', check: 'redis', log: 'redis-server' },
  { server: 'MongoDB', check: 'mongodb', log: 'ferretdb' },
] as const;

/** Asks every `/readyz` of the installation of a data folder. */
export async function checkServices(data: string): Promise<Check[]> {
  const processes = await readServiceList(data);
  if (processes === undefined)
    return [{ check: 'services', ok: true, found: 'not asked: no interlock up runs with this data folder' }];
  const probed = await Promise.all(processes.map(probe));
  return [...probed.map(serviceCheck), ...servers.flatMap((one) => serverCheck(one, probed))];
}

async function probe({ name, healthUrl }: ServiceProcess): Promise<Probed> {
  if (healthUrl === undefined) return { name, checks: undefined };
  try {
    const response = await fetch(new URL('/readyz', healthUrl), {
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    });
    return { name, checks: readinessSchema.parse(await response.json()).checks };
  } catch {
    return { name, checks: undefined };
  }
}

function serviceCheck({ name, checks }: Probed): Check {
  const check = `service ${name}`;
  if (checks === undefined)
    return {
      ...{ check, ok: false, found: 'its readiness probe does not answer' },
      next: `interlock up starts again what has ended. If this stays so, read interlock logs ${name}.`,
    };
  const wrong = wrongOf(checks);
  if (wrong.length === 0) return { check, ok: true, found: 'ready' };
  const found = wrong.map(([one, why]) => `${one}: ${why}`).join('; ');
  return { check, ok: false, found, next: nextOf(name, wrong) };
}

/** A process of several services puts the name of each before its checks. */
function wrongOf(checks: Readonly<Record<string, true | string>>): [string, string][] {
  return Object.entries(checks).flatMap(([name, held]) => (held === true ? [] : [[name, held]]));
}

function nextOf(service: string, wrong: readonly [string, string][]): string {
  const names = wrong.map(([name]) => name.split('.').at(-1));
  const server = servers.find(({ check }) => names.includes(check));
  if (server !== undefined)
    return `See ${server.server} below. It is ready again by itself once that works: until then its calls are refused.`;
  if (names.some((name) => name?.startsWith('policy')))
    return 'See interlock policy status. Publish a policy with interlock apply.';
  return `It is ready again by itself once that is so. Otherwise read interlock logs ${service}.`;
}

/** Returns what the services that use a server say about it; nothing where none answered. */
function serverCheck({ server, check, log }: (typeof servers)[number], probed: readonly Probed[]): Check[] {
  const said = probed.flatMap(({ name, checks = {} }) =>
    Object.entries(checks)
      .filter(([one]) => one.split('.').at(-1) === check)
      .map(([one, held]) => ({ service: one.includes('.') ? one.split('.')[0] : name, held })),
  );
  const wrong = said.filter(({ held }) => held !== true);
  if (said.length === 0) return [];
  const users = said.map(({ service }) => service).join(', ');
  if (wrong.length === 0) return [{ check: server, ok: true, found: `works for ${users}` }];
  const found = wrong.map(({ service, held }) => `${service}: ${held}`).join('; ');
  return [
    {
      ...{ check: server, ok: false, found },
      next: `Read interlock logs ${log}; see that it runs, and that its disk has room.`,
    },
  ];
}
