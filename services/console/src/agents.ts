import {
  type AgentEntry,
  type AgentKey,
  agentCreateSchema,
  agentRevokeSchema,
  agentRotateSchema,
  Fault,
  idSchema,
  newId,
  type PersonEntry,
} from '@interlock/contracts';
import { z } from 'zod';
import { createAgentKey, type FreshKey, withKey, withoutKey } from './agent-keys.ts';
import type { Management } from './management.ts';
import { requireTenant } from './people.ts';
import { parseInput } from './problem.ts';
import type { Route } from './server.ts';
import { writeEntry } from './write-entry.ts';

const addressSchema = z.strictObject({ tenant: idSchema, agent: idSchema });
type AgentAddress = z.infer<typeof addressSchema>;

/** Routes of agents and their keys. */
export function agentRoutes(management: Management): Route[] {
  const url = '/v1/agents/:tenant/:agent';
  return [
    {
      method: 'GET',
      url: '/v1/agents',
      roles: ['operator', 'reader'],
      answer: async ({ person }) => await listAgents(management, person),
    },
    {
      method: 'POST',
      url: '/v1/agents',
      roles: ['operator'],
      answer: async ({ person, body }) => await createAgent(management, person, body),
    },
    {
      method: 'POST',
      url: `${url}/rotate`,
      roles: ['operator'],
      answer: async ({ person, params, body }) => {
        const { overlapMs, validMs } = parseInput(agentRotateSchema, body ?? {});
        const fresh = createAgentKey();
        const agent = await changeAgent(management, person, params, 'rotated', (entry) =>
          withKey(entry, fresh, {
            ...{ nowMs: management.clock.nowMs(), validMs, overlapMs },
            by: person.person,
          }),
        );
        return shownKey(agent, fresh);
      },
    },
    {
      method: 'POST',
      url: `${url}/revoke`,
      roles: ['operator'],
      answer: async ({ person, params, body }) => {
        const { keyId } = parseInput(agentRevokeSchema, body ?? {});
        return viewOf(
          await changeAgent(management, person, params, 'revoked', (entry) => withoutKey(entry, keyId)),
        );
      },
    },
  ];
}

async function listAgents({ bus }: Management, person: PersonEntry): Promise<object> {
  const agents = await bus.entries('agents').list();
  return {
    agents: agents
      .filter(({ value }) => person.tenants === undefined || person.tenants.includes(value.tenant))
      .map(({ value }) => viewOf(value)),
  };
}

async function createAgent(management: Management, person: PersonEntry, body: unknown): Promise<AgentKey> {
  const { validMs, ...wanted } = parseInput(agentCreateSchema, body);
  requireTenant(person, wanted.tenant);
  const key = `${wanted.tenant}.${wanted.agent}`;
  const fresh = createAgentKey();
  return await management.inTurn(async () => {
    if ((await management.bus.entries('agents').get(key)) !== undefined)
      throw new Fault('name_taken', {
        detail: 'An agent has this name already. To give it a new key, rotate its key.',
      });
    const made = { ...wanted, session: newId('ses'), keys: [], createdBy: person.person };
    const value = withKey(made, fresh, {
      nowMs: management.clock.nowMs(),
      validMs,
      overlapMs: 0,
      by: person.person,
    });
    await writeEntry(management, { bucket: 'agents', key, value }, operationOn(wanted, 'created', person));
    return shownKey(value, fresh);
  });
}

async function changeAgent(
  management: Management,
  person: PersonEntry,
  params: unknown,
  verb: string,
  change: (agent: AgentEntry) => AgentEntry,
): Promise<AgentEntry> {
  const address = parseInput(addressSchema, params, 'id_invalid');
  requireTenant(person, address.tenant);
  const key = `${address.tenant}.${address.agent}`;
  return await management.inTurn(async () => {
    const found = await management.bus.entries('agents').get(key);
    if (found === undefined)
      throw new Fault('name_unknown', { detail: 'No agent has this name in this tenant.' });
    const value = change(found.value);
    await writeEntry(management, { bucket: 'agents', key, value }, operationOn(address, verb, person));
    return value;
  });
}

function operationOn({ tenant, agent }: AgentAddress, verb: string, person: PersonEntry) {
  return { kind: 'agent', verb, tenant, name: agent, by: person.person };
}

function shownKey(agent: AgentEntry, { key, keyId }: FreshKey): AgentKey {
  const notAfter = agent.keys.find((held) => held.keyId === keyId)?.notAfter ?? 0;
  return { tenant: agent.tenant, agent: agent.agent, keyId, key, notAfter };
}

function viewOf({ session: _session, keys, ...agent }: AgentEntry) {
  return { ...agent, keys: keys.map(({ keyId, createdAt, notAfter }) => ({ keyId, createdAt, notAfter })) };
}
