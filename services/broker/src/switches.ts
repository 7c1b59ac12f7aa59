import type { EntryWatch } from '@interlock/bus';
import { switchKeysOf } from '@interlock/contracts';

/** Returns whether any switch that stops the call is on, or undefined when the copy may be behind. */
export function killedBy(
  switches: Pick<EntryWatch<'switches'>, 'current' | 'get'>,
  call: Parameters<typeof switchKeysOf>[0],
): boolean | undefined {
  if (!switches.current) return undefined;
  return switchKeysOf(call).some((key) => switches.get(key)?.on === true);
}
