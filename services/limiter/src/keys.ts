import type { Limit } from '@interlock/contracts';

/** One hash tag for all keys: a taking is one script, and Redis Cluster runs a script on one slot. */
const PREFIX = 'il:{limits}';

/** Where the marker of Redis's birth stands. */
export const birthKey = `${PREFIX}:birth`;

/** Whom a limit may count apart. */
export interface Dimensions {
  tenant: string;
  agent: string;
  user: string;
  tool: string;
}

/** Returns the key of what a call was answered. */
export function callKey(tenant: string, call: string): string {
  return `${PREFIX}:call:${tenant}.${call}`;
}

/** Returns the key of one counter of a limit. Ids hold neither dots nor colons, so no two counters share a key. */
export function counterKey(kind: 'rate' | 'concurrency' | 'spend', limit: Limit, of: Dimensions): string {
  const per = new Set(limit.per);
  // Agents and users are named within their tenant: the same name elsewhere is somebody else.
  if (per.has('agent') || per.has('user')) per.add('tenant');
  const parts = (['tenant', 'agent', 'user', 'tool'] as const).flatMap((dimension) =>
    per.has(dimension) ? [`${dimension}=${of[dimension]}`] : [],
  );
  return `${PREFIX}:${kind}:${limit.name}:${parts.join('.')}`;
}
