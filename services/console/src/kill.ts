import {
  killRequestSchema,
  type PersonEntry,
  type SwitchEntry,
  type SwitchTarget,
  switchKey,
} from '@interlock/contracts';
import type { Management } from './management.ts';
import { reaches, requireEveryTenant, requireTenant } from './people.ts';
import { parseInput } from './problem.ts';
import type { Route } from './server.ts';
import type { Switches } from './switches.ts';

/** Routes of the kill switch. The last setting of a switch counts. */
export function killRoutes(management: Pick<Management, 'clock'>, switches: Switches): Route[] {
  return [
    {
      method: 'POST',
      url: '/v1/kill',
      roles: ['operator'],
      answer: async ({ person, body }) => {
        const { target, on, reason } = parseInput(killRequestSchema, body);
        requireReach(person, target);
        const key = switchKey(target);
        const value: SwitchEntry = {
          on,
          by: person.person,
          at: management.clock.nowMs(),
          ...(reason === undefined ? {} : { reason }),
        };
        const operation = {
          kind: 'switch',
          verb: on ? 'on' : 'off',
          tenant: 'tenant' in target ? target.tenant : 'all',
          name: key,
          by: person.person,
          ...(reason === undefined ? {} : { reason }),
        };
        return { switches: [await switches.set(key, value, operation)] };
      },
    },
    {
      method: 'GET',
      url: '/v1/kill',
      roles: ['operator', 'reader', 'approver'],
      answer: async ({ person }) => ({
        switches: (await switches.listOn()).filter(({ key }) => concerns(person, key)),
      }),
    },
  ];
}

function requireReach(person: PersonEntry, target: SwitchTarget): void {
  if ('tenant' in target) requireTenant(person, target.tenant);
  else requireEveryTenant(person);
}

/** A switch of a tenant or its agents is for people with rights there; the others stop calls of every tenant. */
function concerns(person: PersonEntry, key: string): boolean {
  const [kind, tenant] = key.split('.');
  return tenant === undefined || (kind !== 'tenant' && kind !== 'agent') || reaches(person, tenant);
}
