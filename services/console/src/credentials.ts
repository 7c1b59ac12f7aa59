import { credentialSetSchema, Fault, idSchema, sealContext } from '@interlock/contracts';
import { Secret, seal } from '@interlock/keys';
import { z } from 'zod';
import type { Management } from './management.ts';
import { requireEveryTenant } from './people.ts';
import { parseInput } from './problem.ts';
import type { Route } from './server.ts';
import { writeEntry } from './write-entry.ts';

const SEAL_TIMEOUT_MS = 5_000;
const nameSchema = z.strictObject({ name: idSchema });

/** Routes of credentials. A value is accepted, sealed to the broker, and never returned. */
export function credentialRoutes(management: Management): Route[] {
  return [
    {
      method: 'GET',
      url: '/v1/credentials',
      roles: ['operator', 'reader'],
      answer: async ({ person }) => {
        requireEveryTenant(person);
        const credentials = await management.bus.entries('credentials').list();
        return { credentials: credentials.map(({ value: { name, setAt } }) => ({ name, setAt })) };
      },
    },
    {
      method: 'PUT',
      url: '/v1/credentials/:name',
      roles: ['operator'],
      answer: async ({ person, params, body }) => {
        requireEveryTenant(person);
        const { name } = parseInput(nameSchema, params, 'id_invalid');
        const value = new Secret(parseInput(credentialSetSchema, body).value);
        const entry = await sealForStorage(management, name, value);
        const operation = { kind: 'credential', verb: 'set', tenant: 'all', name, by: person.person };
        await management.inTurn(() =>
          writeEntry(management, { bucket: 'credentials', key: name, value: entry }, operation),
        );
        return { name, setAt: entry.setAt };
      },
    },
    {
      method: 'DELETE',
      url: '/v1/credentials/:name',
      roles: ['operator'],
      answer: async ({ person, params }) => {
        requireEveryTenant(person);
        const { name } = parseInput(nameSchema, params, 'id_invalid');
        const operation = { kind: 'credential', verb: 'removed', tenant: 'all', name, by: person.person };
        await management.inTurn(async () => {
          if ((await management.bus.entries('credentials').get(name)) === undefined)
            throw new Fault('name_unknown');
          await writeEntry(management, { bucket: 'credentials', key: name, value: undefined }, operation);
        });
        return { name };
      },
    },
  ];
}

async function sealForStorage({ bus, clock, keyring }: Management, name: string, value: Secret) {
  const brokers = keyring.sealKeysOf('broker', clock.nowMs());
  if (brokers.length === 0)
    throw new Fault('dependency_unavailable', {
      detail: 'The keyring has no valid key of the broker. Nothing was done.',
    });
  const sealed = seal(value.reveal(), brokers, sealContext('credential', name));
  return await bus.ask('broker.seal', { name, sealed }, SEAL_TIMEOUT_MS);
}
