/** The input of policy about a call of which only what matters is given: in a case, and in `interlock policy eval`. */
import { Fault, type PolicyInput, policyInputSchema } from '@interlock/contracts';
import { z } from 'zod';
import { localTimes } from './local-times.ts';

export const mappingSchema = z.record(z.string(), z.unknown());
export type Mapping = z.infer<typeof mappingSchema>;

/** A plain call: clerk, for Ada of acme, reads an order on a Wednesday. */
const PLAIN_CALL: Mapping = {
  subject: { agent: 'clerk', user: 'ada', tenant: 'acme', roles: ['support'], proof: 'api_key' },
  action: { name: 'execute_tool' },
  tool: { name: 'read_order', version: '0'.repeat(64), labels: [], firstUse: false },
  arguments: {},
  facts: {},
  session: { id: 'task', labels: [], openedAt: 0 },
  history: { denied: [] },
  context: { time: '2026-01-14T10:00:00Z', door: 'executor', environment: 'local' },
};

/**
 * Returns the input about a call: what is given, laid over the plain call. It says what time it is; the milliseconds
 * and the local times follow from it, as they do in the decider, for the time zones that the policy's data names.
 * Throws `configuration_invalid` with what is wrong, below `root`.
 */
export function inputAbout(given: Mapping, data: Mapping, root: string): PolicyInput {
  const call = merged(PLAIN_CALL, given);
  const context = mappingSchema.safeParse(call['context']).data ?? {};
  const epochMs = Date.parse(String(context['time']));
  const followed = { epochMs, local: localTimes(zonesOf(data), epochMs), ...context };
  const parsed = policyInputSchema.safeParse({ ...call, context: followed });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = [root, ...(issue?.path ?? [])].map(String).join('.');
  throw new Fault('configuration_invalid', { detail: `${place}: ${issue?.message}` });
}

/** Returns mappings laid over each other: mappings in both are merged, anything else is replaced. */
export function merged(below: Mapping, above: Mapping): Mapping {
  const result = { ...below };
  for (const [name, value] of Object.entries(above)) {
    const [lower, upper] = [mappingSchema.safeParse(result[name]), mappingSchema.safeParse(value)];
    result[name] = lower.success && upper.success ? merged(lower.data, upper.data) : value;
  }
  return result;
}

function zonesOf(data: Mapping): string[] {
  const parsed = z.object({ config: z.object({ zones: z.array(z.string()) }) }).safeParse(data);
  return parsed.success ? parsed.data.config.zones : [];
}
