/**
 * How many bytes agents may put on the ledger: what one writes takes the room of all, whether its calls are carried out,
 * refused or only evaluated. A call above a limit is counted and not stored.
 */
import { type AgentEntry, Fault } from '@interlock/contracts';
import { Buckets } from './buckets.ts';
import { countOverVolume } from './metrics.ts';

const MEBIBYTE = 1_048_576;
/** Bytes an hour of an agent whose entry says nothing else. */
const AGENT_BYTES_PER_HOUR = 64 * MEBIBYTE;
/** Bytes an hour of all agents of a tenant, where nothing else is configured. */
export const TENANT_BYTES_PER_HOUR = 256 * MEBIBYTE;
const HOUR_S = 3_600;

export class Volumes {
  readonly #agents = new Buckets();
  readonly #tenants = new Buckets();
  readonly #tenantBytesPerHour: number;

  constructor({ tenantBytesPerHour }: { tenantBytesPerHour: number }) {
    this.#tenantBytesPerHour = tenantBytesPerHour;
  }

  /** Counts what a call of an agent stores. Throws `agent_flood`, and counts nothing then. */
  spend({ tenant, agent, caps }: AgentEntry, bytes: number, monotonicMs: number): void {
    const own = caps.bytesPerHour ?? AGENT_BYTES_PER_HOUR;
    const limits = [
      {
        rule: 'agent-bytes',
        whose: 'This agent',
        buckets: this.#agents,
        key: `${tenant}.${agent}`,
        limit: own,
      },
      {
        rule: 'tenant-bytes',
        whose: 'The tenant',
        buckets: this.#tenants,
        key: tenant,
        limit: this.#tenantBytesPerHour,
      },
    ].map((one) => ({ ...one, size: { capacity: one.limit, perSecond: one.limit / HOUR_S } }));
    for (const { rule, whose, buckets, key, limit, size } of limits) {
      const retryAfterMs = buckets.waitMs(key, bytes, size, monotonicMs);
      if (retryAfterMs === 0) continue;
      countOverVolume(rule);
      const detail = `${whose} sent more than the ${Math.round(limit / MEBIBYTE)} MiB of arguments that it may send in an hour.`;
      throw new Fault('agent_flood', { detail, rule, retryAfterMs });
    }
    for (const { buckets, key, size } of limits) buckets.take(key, bytes, size, monotonicMs);
  }
}
