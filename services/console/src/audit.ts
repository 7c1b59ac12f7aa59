import { idSchema, rpcSchemas, verificationRequestSchema } from '@interlock/contracts';
import { z } from 'zod';
import type { Management } from './management.ts';
import { requireEveryTenant } from './people.ts';
import { parseInput, wholeNumberSchema } from './problem.ts';
import type { Route } from './server.ts';

const LOOK_UP_TIMEOUT_MS = 10_000;
/** A check reads every record. */
const VERIFY_TIMEOUT_MS = 110_000;

const callSchema = z.strictObject({ call: idSchema });
const searchSchema = z
  .strictObject({
    agent: z.string(),
    tool: z.string(),
    step: z.string(),
    since: wholeNumberSchema,
    until: wholeNumberSchema,
    limit: wholeNumberSchema,
  })
  .partial();

/** Routes of the audit trail. A person with rights in some tenants sees the records of these only. */
export function auditRoutes({ bus }: Management): Route[] {
  return [
    {
      method: 'GET',
      url: '/v1/audit/calls/:call',
      roles: ['operator', 'reader'],
      answer: async ({ person, params }) => {
        const { call } = parseInput(callSchema, params, 'id_invalid');
        return await bus.ask('auditor.show', { call, ...scopeOf(person) }, LOOK_UP_TIMEOUT_MS);
      },
    },
    {
      method: 'GET',
      url: '/v1/audit/search',
      roles: ['operator', 'reader'],
      answer: async ({ person, query }) => {
        const wanted = parseInput(searchSchema, query, 'query_invalid');
        const request = parseInput(
          rpcSchemas['auditor.search'].request,
          { ...wanted, ...scopeOf(person) },
          'query_invalid',
        );
        return await bus.ask('auditor.search', request, LOOK_UP_TIMEOUT_MS);
      },
    },
    {
      method: 'POST',
      url: '/v1/audit/verify',
      roles: ['operator', 'reader'],
      // A check that is still under way when the wait ends is answered with how far it is.
      answer: async ({ person, body }) => {
        requireEveryTenant(person);
        const request = parseInput(verificationRequestSchema, body ?? {});
        return await bus.ask('auditor.verify', request, VERIFY_TIMEOUT_MS);
      },
    },
  ];
}

/** Returns the filter that limits a look-up to a person's tenants. */
export function scopeOf({ tenants }: { tenants?: string[] | undefined }): { tenants?: string[] } {
  return tenants === undefined ? {} : { tenants };
}
