/**
 * Whether the credentials of a tool may be leased for one claimed call, and for which destination.
 *
 * The broker does not believe the executor that asks. What it takes from the request is a statement that the decider
 * signed, and the arguments that the statement's digest covers. Everything else it reads for itself, from the ledger
 * and the entries.
 *
 * L1. The call's last event on the ledger is its claim: the call is started and not settled.
 * L2. The claim is within its limit, and was first made while the decision held.
 * L3. The claim, the decision and the arguments are about the same call, down to the digest.
 * L4. The destination follows from the decided tool and the signed arguments alone.
 * L5. No kill switch is on for the call or the credential.
 */
import type { EntryWatch, LedgerEntry } from '@interlock/bus';
import {
  type Claim,
  type CredentialUse,
  Fault,
  type RpcRequest,
  type Statement,
  type Tool,
} from '@interlock/contracts';
import { assertSameCall, assertVersion, blockedBy, verifyDecision } from '@interlock/gate';
import type { Keyring } from '@interlock/keys';
import { destinationOf } from './destination.ts';

/** How far the clocks of two hosts may differ. A claim from further in the future is refused. */
const CLOCK_SKEW_MS = 2_000;

/** What the broker read for itself. */
export interface LeaseFacts {
  /** The call's last event, read from the ledger's leader. */
  last: LedgerEntry | undefined;
  /** When the call was first claimed: of a `restarted` one, the `at` of its `started`. */
  firstClaimedAt: number | undefined;
  /** The tool in the version that was decided, or what the leader has instead. */
  tool: Tool | undefined;
  switches: Pick<EntryWatch<'switches'>, 'current' | 'get'>;
}

/** What may be leased, to whom, where to, and until when. */
export interface Grant {
  credentials: readonly CredentialUse[];
  /** Raw X25519 public key (base64url) to which the credentials are sealed. */
  leaseKey: string;
  origin: string;
  notAfter: number;
}

/** Verifies that a request's decision allows the call it asks for (L3). Throws `statement_invalid` or `lease_refused`. */
export function readStatement(
  asked: RpcRequest<'broker.lease'>,
  keyring: Keyring,
  nowMs: number,
): Statement<'decision'> {
  const { tenant, call, arguments: text, statement } = asked;
  const decided = { call: { tenant, call, arguments: text }, statement };
  return verifyDecision(decided, 'allow', keyring, nowMs, 'lease_refused');
}

/**
 * Grants a lease.
 * Throws `lease_refused`, `killed`, `tool_changed` or `dependency_unavailable`.
 */
export function grantLease(
  asked: RpcRequest<'broker.lease'>,
  statement: Statement<'decision'>,
  facts: LeaseFacts,
  nowMs: number,
): Grant {
  const claim = claimOf(facts.last);
  // L3
  assertSameCall(claim, statement, 'lease_refused');
  assertTimely(claim, facts.firstClaimedAt, statement, nowMs);
  if (claim.leaseKey === undefined) throw refused('The claim has no key to seal the credential to.');
  const tool = assertVersion(facts.tool, statement);
  if (tool.credential.length === 0) throw refused('The tool needs no credential.');
  // L5
  const blocked = blockedBy(facts.switches, statement, tool);
  if (blocked !== undefined) throw blocked;
  return {
    credentials: tool.credential,
    leaseKey: claim.leaseKey,
    origin: destinationOf(tool, asked.arguments),
    notAfter: claim.at + claim.claimMs,
  };
}

/** L1 */
function claimOf(last: LedgerEntry | undefined): Claim {
  if (last === undefined) throw refused('The call is not claimed.');
  switch (last.step) {
    case 'started':
    case 'restarted':
      return last.body;
    case 'settled':
    case 'refused':
      throw refused('The call is over.');
    case 'evaluated':
      throw refused('Policy was only asked about the call; it was never to be carried out.');
    default:
      return last satisfies never;
  }
}

/** L2 */
function assertTimely(
  claim: Claim,
  firstClaimedAt: number | undefined,
  statement: Statement<'decision'>,
  nowMs: number,
): void {
  if (claim.at > nowMs + CLOCK_SKEW_MS) throw refused('The claim is dated in the future.');
  if (nowMs > claim.at + claim.claimMs) throw refused('The claim ran out.');
  if (firstClaimedAt === undefined || firstClaimedAt > claim.at)
    throw refused('It is not known when the call was first claimed.');
  if (firstClaimedAt > statement.notAfter) throw refused('The call was claimed after its decision ran out.');
}

function refused(detail: string): Fault {
  return new Fault('lease_refused', { detail });
}
