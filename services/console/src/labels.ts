import { type CallLabelEntry, callLabelSetSchema, Fault, idSchema } from '@interlock/contracts';
import { z } from 'zod';
import { scopeOf } from './audit.ts';
import type { Management } from './management.ts';
import { requireTenant } from './people.ts';
import { parseInput } from './problem.ts';
import type { Route } from './server.ts';
import { writeEntry } from './write-entry.ts';

const LOOK_UP_TIMEOUT_MS = 10_000;
const addressSchema = z.strictObject({ tenant: idSchema, call: idSchema });

/** Routes of people's labels: what should have become of a call. The last setting of a label counts. */
export function labelRoutes(management: Management): Route[] {
  return [
    {
      method: 'PUT',
      url: '/v1/labels/:tenant/:call',
      roles: ['operator'],
      answer: async ({ person, params, body }) => {
        const address = parseInput(addressSchema, params, 'id_invalid');
        const { label, note } = parseInput(callLabelSetSchema, body);
        requireTenant(person, address.tenant);
        await requireRecorded(management, address);
        const value: CallLabelEntry = {
          ...address,
          label,
          by: person.person,
          at: management.clock.nowMs(),
          ...(note === undefined ? {} : { note }),
        };
        const operation = {
          kind: 'label',
          verb: label,
          tenant: address.tenant,
          name: address.call,
          by: person.person,
          ...(note === undefined ? {} : { reason: note }),
        };
        const entry = { bucket: 'labels', key: `${address.tenant}.${address.call}`, value } as const;
        await management.inTurn(() => writeEntry(management, entry, operation));
        return { labels: [value] };
      },
    },
    {
      method: 'GET',
      url: '/v1/labels',
      roles: ['operator', 'reader'],
      answer: async ({ person: { tenants } }) => {
        const labels = (await management.bus.entries('labels').list())
          .map(({ value }) => value)
          .filter(({ tenant }) => tenants === undefined || tenants.includes(tenant))
          .toSorted((left, right) => left.at - right.at);
        return { labels };
      },
    },
  ];
}

/** A label of a call that does not exist would count in every simulation and never be found. */
async function requireRecorded(
  { bus }: Management,
  { tenant, call }: z.infer<typeof addressSchema>,
): Promise<void> {
  const request = { call, ...scopeOf({ tenants: [tenant] }) };
  const { records } = await bus.ask('auditor.show', request, LOOK_UP_TIMEOUT_MS);
  if (records.length === 0)
    throw new Fault('call_unknown', { detail: 'The audit trail has no record of this call in this tenant.' });
}
