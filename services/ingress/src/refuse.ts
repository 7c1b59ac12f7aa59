import type { Ledger } from '@interlock/bus';
import type { Refused } from '@interlock/contracts';
import { type Refusing, refusedEvent } from '@interlock/gate';
import type { Keyring } from '@interlock/keys';
import type { Clock } from '@interlock/shell';

export interface RefuseParts {
  bus: Pick<Ledger, 'refuse'>;
  keyring: Keyring;
  clock: Pick<Clock, 'nowMs'>;
}

/**
 * Writes a refusal by ingress and returns it. Where it was not stored, the ledger has another event of the call.
 * Throws `dependency_unavailable` when it is not known whether it was stored.
 */
export async function refuseCall(
  refusing: Omit<Refusing, 'by'>,
  { bus, keyring, clock }: RefuseParts,
): Promise<{ refused: Refused; stored: boolean }> {
  const refused = refusedEvent({ ...refusing, by: 'ingress' }, keyring, clock.nowMs());
  const { stored } = await bus.refuse(refused);
  return { refused, stored };
}
