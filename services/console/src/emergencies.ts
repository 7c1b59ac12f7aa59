import {
  type EmergencyEntry,
  emergencyOpenSchema,
  Fault,
  idSchema,
  newId,
  type PersonEntry,
} from '@interlock/contracts';
import { z } from 'zod';
import { requireDuties } from './emergency-duties.ts';
import type { Management } from './management.ts';
import { requireTenant } from './people.ts';
import { parseInput } from './problem.ts';
import type { Route } from './server.ts';
import { writeEntry } from './write-entry.ts';

const agentSchema = z.strictObject({ tenant: idSchema, agent: idSchema });

/**
 * Routes of break-glass: for a limited time and with a reason, a person lets one agent do what policy would ask a person
 * about or deny by default. It lifts no denial by a rule. An agent has one emergency at most: a new one replaces it.
 */
export function emergencyRoutes(management: Management): Route[] {
  return [
    {
      method: 'POST',
      url: '/v1/emergencies',
      roles: ['operator'],
      answer: async ({ person, body }) => {
        const wanted = parseInput(emergencyOpenSchema, body);
        requireTenant(person, wanted.tenant);
        if (wanted.reason.trim() === '')
          throw new Fault('body_invalid', { detail: 'The reason is empty.', pointer: '/reason' });
        return await management.inTurn(() => openEmergency(management, wanted, person));
      },
    },
    {
      method: 'GET',
      url: '/v1/emergencies',
      roles: ['operator', 'reader', 'approver'],
      answer: async ({ person: { tenants } }) => {
        const open = await openEmergencies(management);
        return {
          emergencies: open.filter(({ tenant }) => tenants === undefined || tenants.includes(tenant)),
        };
      },
    },
    {
      method: 'DELETE',
      url: '/v1/emergencies/:tenant/:agent',
      roles: ['operator'],
      answer: async ({ person, params }) => {
        const named = parseInput(agentSchema, params, 'id_invalid');
        requireTenant(person, named.tenant);
        return await management.inTurn(() => closeEmergency(management, named, person.person));
      },
    },
  ];
}

async function openEmergency(
  management: Management,
  { forMs, ...wanted }: z.infer<typeof emergencyOpenSchema>,
  person: PersonEntry,
) {
  const { bus, clock, log } = management;
  const { tenant, agent, reason } = wanted;
  const by = person.person;
  const key = `${tenant}.${agent}`;
  const found = await bus.entries('agents').get(key);
  if (found === undefined)
    throw new Fault('name_unknown', { detail: 'No agent has this name in this tenant.', pointer: '/agent' });
  await requireDuties(management, person, found.value, wanted.tools);
  const openedAt = clock.nowMs();
  const emergency: EmergencyEntry = {
    ...wanted,
    tools: [...new Set(wanted.tools)],
    id: newId('emg'),
    by,
    openedAt,
    expiresAt: openedAt + forMs,
  };
  const operation = { kind: 'emergency', verb: 'opened', tenant, name: agent, by, reason };
  await writeEntry(management, { bucket: 'emergencies', key, value: emergency }, operation);
  log.warn(
    { emergency: emergency.id, tenant, agent, by, forMs },
    'break-glass: an emergency was opened for an agent',
  );
  return { emergencies: [emergency] };
}

async function closeEmergency(
  management: Management,
  { tenant, agent }: z.infer<typeof agentSchema>,
  by: string,
) {
  const { bus, clock, log } = management;
  const key = `${tenant}.${agent}`;
  const found = await bus.entries('emergencies').get(key);
  if (found === undefined || found.value.expiresAt <= clock.nowMs())
    throw new Fault('name_unknown', { detail: 'This agent has no open emergency.' });
  const operation = { kind: 'emergency', verb: 'closed', tenant, name: agent, by };
  await writeEntry(management, { bucket: 'emergencies', key, value: undefined }, operation);
  log.warn({ emergency: found.value.id, tenant, agent, by }, 'break-glass: an emergency was closed');
  return { emergencies: [] };
}

async function openEmergencies({ bus, clock }: Management): Promise<EmergencyEntry[]> {
  const entries = await bus.entries('emergencies').list();
  const nowMs = clock.nowMs();
  return entries.map(({ value }) => value).filter(({ expiresAt }) => expiresAt > nowMs);
}
