import { type EmergencyEntry, emergencyOpenSchema, Fault, idSchema, newId } from '@interlock/contracts';
import { z } from 'zod';
import type { Route } from './door.ts';
import type { Management } from './management.ts';
import { requireTenant } from './people.ts';
import { parseInput } from './problem.ts';
import { writeEntry } from './write-entry.ts';

const agentSchema = z.strictObject({ tenant: idSchema, agent: idSchema });

/**
 * Routes of break-glass: a person lets one agent pass what policy would ask about, for a while and for a reason. It
 * lifts no denial. One agent has one emergency: a new one takes the old one's place.
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
          throw new Fault('body_invalid', { detail: 'A reason must say something.', pointer: '/reason' });
        return await management.inTurn(() => openEmergency(management, wanted, person.person));
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
  by: string,
) {
  const { bus, clock, log } = management;
  const { tenant, agent, reason } = wanted;
  const key = `${tenant}.${agent}`;
  if ((await bus.entries('agents').get(key)) === undefined)
    throw new Fault('name_unknown', { detail: 'There is no such agent.', pointer: '/agent' });
  const openedAt = clock.nowMs();
  const emergency: EmergencyEntry = {
    ...wanted,
    tools: [...new Set(wanted.tools)],
    id: newId('emg'),
    by,
    openedAt,
    expiresAt: openedAt + forMs,
  };
  const act = { kind: 'emergency', verb: 'opened', tenant, name: agent, by, reason };
  await writeEntry(management, { bucket: 'emergencies', key, value: emergency }, act);
  log.warn({ emergency: emergency.id, tenant, agent, by, forMs }, 'somebody broke the glass');
  return { emergencies: [emergency] };
}

async function closeEmergency(
  management: Management,
  { tenant, agent }: z.infer<typeof agentSchema>,
  by: string,
) {
  const { bus, clock, log } = management;
  const key = `${tenant}.${agent}`;
  const standing = await bus.entries('emergencies').get(key);
  if (standing === undefined || standing.value.expiresAt <= clock.nowMs())
    throw new Fault('name_unknown', { detail: 'There is no emergency of this agent.' });
  const act = { kind: 'emergency', verb: 'closed', tenant, name: agent, by };
  await writeEntry(management, { bucket: 'emergencies', key, value: undefined }, act);
  log.warn({ emergency: standing.value.id, tenant, agent, by }, 'an emergency was ended');
  return { emergencies: [] };
}

async function openEmergencies({ bus, clock }: Management): Promise<EmergencyEntry[]> {
  const entries = await bus.entries('emergencies').list();
  const nowMs = clock.nowMs();
  return entries.map(({ value }) => value).filter(({ expiresAt }) => expiresAt > nowMs);
}
