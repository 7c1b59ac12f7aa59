import {
  type Call,
  type EventBody,
  Fault,
  type HeldCall,
  heldCallSchema,
  type Statement,
  sealContext,
} from '@interlock/contracts';
import { verifyDecision } from '@interlock/gate';
import { unseal, verifyStatement } from '@interlock/keys';
import type { Authority, RefusalDetails } from './decide.ts';

/** A resolved question: the exact call that was held, and its resolution. docs/decisions/004 */
export interface Resolved {
  held: HeldCall;
  resolution: Statement<'resolution'>;
}

/**
 * Opens a `resolved` event. Verifies the approver's statement, that it is about the call that was held, and that the
 * decider itself asked about that call: an approver cannot invent one. Throws `statement_invalid`.
 */
export function openResolution(
  event: EventBody<'resolved'>,
  address: { tenant: string; call: string },
  authority: Authority,
  nowMs: number,
): Resolved {
  const resolution = verifyStatement(event.statement, 'resolution', authority.keyring, nowMs);
  const held = openHeld(event, authority);
  const named = [event, resolution, held.call];
  if (named.some(({ tenant, call }) => tenant !== address.tenant || call !== address.call))
    throw new Fault('statement_invalid', { detail: 'The resolution is about another call.' });
  if (held.call.callDigest !== resolution.callDigest)
    throw new Fault('statement_invalid', { detail: 'The resolution is about another version of the call.' });
  verifyDecision(held, 'ask', authority.keyring, nowMs);
  return { held, resolution };
}

/** Opens the held call alone. Throws `statement_invalid`. */
export function openHeld(event: EventBody<'resolved'>, { keys }: Authority): HeldCall {
  const opened = unseal(event.sealed, keys.seal, sealContext('held', event.call));
  try {
    return heldCallSchema.parse(JSON.parse(opened.toString('utf8')));
  } catch (cause) {
    throw new Fault('statement_invalid', { detail: 'The held call is malformed.', cause });
  }
}

/** Returns the call as it goes on after an approval: in the time the resolution leaves, and its result is kept. */
export function approvedCall({ held, resolution }: Resolved): Call {
  return { ...held.call, keepResult: true, notAfter: resolution.notAfter };
}

/** Returns the person who approved the call, or why it is refused. */
export function readResolution({
  held,
  resolution,
}: Resolved): { approved: true; person: string } | { approved: false; details: RefusalDetails } {
  const { person, reason } = resolution;
  const evidence = {
    resolution: resolution.resolution,
    questionDigest: resolution.questionDigest,
    resolvedAt: resolution.issuedAt,
    ...(person === undefined ? {} : { person }),
    ...(reason === undefined ? {} : { reason }),
  };
  const because = { decision: held.decision, evidence };
  switch (resolution.resolution) {
    case 'approved':
      if (person !== undefined) return { approved: true, person };
      return refusedAs('statement_invalid', 'The approval does not say who gave it.', because);
    case 'denied':
      return refusedAs('approval_denied', deniedText(person, reason), because);
    case 'expired':
      return refusedAs('approval_expired', 'Nobody approved this call in time.', because);
    default:
      return resolution.resolution satisfies never;
  }
}

function refusedAs(
  code: RefusalDetails['code'],
  detail: string,
  because: Pick<RefusalDetails, 'decision' | 'evidence'>,
): { approved: false; details: RefusalDetails } {
  return { approved: false, details: { code, detail, ...because } };
}

function deniedText(person: string | undefined, reason: string | undefined): string {
  const who = person === undefined ? 'A person denied this call' : `${person} denied this call`;
  return reason === undefined ? `${who}.` : `${who}: ${reason}`;
}
