import type { Limit } from '@interlock/contracts';

/** One hash tag for all keys: a charge is one script, and Redis Cluster runs a script on one slot. */
const PREFIX = 'il:{limits}';

/** Where the marker of Redis's epoch stands. */
export const epochKey = `${PREFIX}:epoch`;

/** What a limit may count separately. */
export interface Dimensions {
  tenant: string;
  agent: string;
  user: string;
  session: string;
  tool: string;
}

type Dimension = keyof Dimensions;

/** Returns the key of a call's answer and of what it holds. */
export function callKey(tenant: string, call: string): string {
  return `${PREFIX}:call:${tenant}.${call}`;
}

/** Returns the key of one counter of a configured limit. Ids hold neither dots nor colons, so no two counters share a key. */
export function counterKey(
  kind: 'rate' | 'concurrency' | 'spend',
  { name, per }: Pick<Limit, 'name' | 'per'>,
  of: Dimensions,
): string {
  return `${PREFIX}:${kind}:${name}:${partsOf(per, of)}`;
}

/** Returns the key of one counter that policy keeps. A limit with another window has another counter. */
export function policyCounterKey(
  counted: { kind: string; limit: string; per: readonly Dimension[] } & (
    | { windowMs: number }
    | { day: string }
  ),
  of: Dimensions,
): string {
  const { kind, limit, per } = counted;
  // The name of a time zone holds neither dots nor colons, and is never a number.
  const window = 'windowMs' in counted ? counted.windowMs : counted.day;
  return `${PREFIX}:policy-${kind}:${limit}.${window}:${partsOf(per, of)}`;
}

function partsOf(per: readonly Dimension[], of: Dimensions): string {
  const separate = new Set(per);
  // Agents, users and sessions are named within their tenant: the same name in another tenant is somebody else.
  if (separate.has('agent') || separate.has('user') || separate.has('session')) separate.add('tenant');
  const dimensions = (['tenant', 'agent', 'user', 'session', 'tool'] as const).filter((one) =>
    separate.has(one),
  );
  return dimensions.map((dimension) => `${dimension}=${of[dimension]}`).join('.');
}
