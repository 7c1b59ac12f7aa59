import {
  type EventBody,
  Fault,
  type HeldCall,
  type Sealed,
  type ServiceName,
  sealContext,
} from '@interlock/contracts';
import { type Keyring, seal } from '@interlock/keys';

/** Who may see a held call: who decides it again, who shows it to people, and who records it. */
const READERS = ['decider', 'console', 'auditor'] as const satisfies ServiceName[];

/**
 * Seals the exact held call until its question resolves. Its result is kept, because nobody waits for it by then.
 * Throws `approval_impossible` when one of its readers has no valid key: it could never be decided, shown or recorded.
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
      detail: 'A part of the gateway has no valid key for held calls.',
    });
  const held: HeldCall = { call: { ...call, keepResult: true }, decision, statement, heldSequence };
  return seal(JSON.stringify(held), recipients.flat(), sealContext('held', call.call));
}
