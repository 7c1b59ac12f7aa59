import { Fault, idSchema } from '@interlock/contracts';
import { z } from 'zod';
import { scopeOf } from './audit.ts';
import type { Management } from './management.ts';
import { parseInput } from './problem.ts';
import type { Route } from './server.ts';
import type { TraceStore } from './traces.ts';

const LOOK_UP_TIMEOUT_MS = 10_000;
const callSchema = z.strictObject({ call: idSchema });

/** The route of a call's traces. Spans name no tenant: for a person with rights in some tenants, the audit trail says whose call it is. */
export function traceRoutes({ bus }: Management, store: TraceStore): Route[] {
  return [
    {
      method: 'GET',
      url: '/v1/traces/:call',
      roles: ['operator', 'reader'],
      answer: async ({ person, params }) => {
        const { call } = parseInput(callSchema, params, 'id_invalid');
        const found = store.find(call);
        if (found === undefined) throw new Fault('trace_unknown');
        if (person.tenants !== undefined) {
          const { records } = await bus.ask('auditor.show', { call, ...scopeOf(person) }, LOOK_UP_TIMEOUT_MS);
          if (records.length === 0) throw new Fault('trace_unknown');
        }
        return found;
      },
    },
  ];
}
