import {
  type EventBody,
  Fault,
  type HeldCall,
  type Sealed,
  type ServiceName,
  sealContext,
} from '@interlock/contracts';
import { type Keyring, seal } from '@interlock/keys';

/** Who may read a held call: the decider decides it again, the console shows it to people, the auditor records it. */
const READERS = ['decider', 'console', 'auditor'] as const satisfies ServiceName[];

/**
 * Seals the exact held call until its question is resolved. Its result is kept, because nobody waits for it by then.
 * Throws `approval_impossible` when one of the readers has no valid key: the call could never be decided, shown or
 * recorded.
 */
export function sealHeldCall(
  { call, decision, statement }: EventBody<'held'>,
  heldSequence: number,
  keyring: Keyring,
  nowMs: number,
): Sealed {
  const recipients = READERS.map((service) => keyring.sealKeysOf(service, nowMs));
  if (recipients.some((keys) => keys.length === 0))
    throw new Fault('approval_impossible', {
      detail: 'A service that must read held calls has no valid key: the operator has to renew the keyring.',
    });
  const held: HeldCall = { call: { ...call, keepResult: true }, decision, statement, heldSequence };
  return seal(JSON.stringify(held), recipients.flat(), sealContext('held', call.call));
}
