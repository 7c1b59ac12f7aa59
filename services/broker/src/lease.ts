/**
 * Whether one credential may be leased for one claimed call, and for which destination.
 *
 * The asker is not believed. What it says is a statement that the decider signed and the arguments that the
 * statement's digest covers; everything else is read from the ledger and the tools by the broker itself.
 * 1. The last thing the ledger says of the call is the claim: it is started and not settled.
 * 2. The claim stands within its limit and began while the statement held.
 * 3. The claim, the statement and the arguments speak of the same call, down to the digest.
 * 4. The destination follows from the pinned tool and the signed arguments alone.
 */

import type { EntryWatch, LedgerEntry } from '@interlock/bus';
import {
  type Claim,
  Fault,
  type Injection,
  type RpcRequest,
  type Statement,
  type Tool,
} from '@interlock/contracts';
import { assertSameCall, assertVersion, blockedBy, verifyDecision } from '@interlock/gate';
import type { Keyring } from '@interlock/keys';
import { destinationOf } from './destination.ts';

/** Clocks of two hosts differ; a claim from further in the future is refused. */
const CLOCK_SKEW_MS = 2_000;

/** What the broker found out for itself. */
export interface LeaseFacts {
  /** The last thing the ledger's leader says of the call. */
  last: LedgerEntry | undefined;
  /** When the call was first claimed; of a claim that is `restarted`, the `at` of its `started`. */
  firstClaimedAt: number | undefined;
  /** The tool as it is now. */
  tool: Tool | undefined;
  switches: Pick<EntryWatch<'switches'>, 'current' | 'get'>;
}

/** What may be leased, to whom, where to, and until when. */
export interface Grant {
  credential: string;
  inject: Injection;
  /** Raw X25519 public key (base64url) to which the credential is sealed. */
  leaseKey: string;
  origin: string;
  notAfter: number;
}

/** Verifies the statement of an asker and that it is about the call asked for. Throws `statement_invalid` or `lease_refused`. */
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
 * Decides about a lease.
 * Throws `lease_refused`, `killed`, `tool_changed` or `dependency_unavailable`.
 */
export function grantLease(
  asked: RpcRequest<'broker.lease'>,
  statement: Statement<'decision'>,
  facts: LeaseFacts,
  nowMs: number,
): Grant {
  const claim = claimOf(facts.last);
  assertSameCall(claim, statement, 'lease_refused');
  assertTimely(claim, facts.firstClaimedAt, statement, nowMs);
  if (claim.leaseKey === undefined) throw refused('The claim names no key to seal to.');
  const tool = assertVersion(facts.tool, statement);
  if (tool.credential === undefined) throw refused('The tool needs no credential.');
  const blocked = blockedBy(facts.switches, statement, tool);
  if (blocked !== undefined) throw blocked;
  return {
    credential: tool.credential.name,
    inject: tool.credential.inject,
    leaseKey: claim.leaseKey,
    origin: destinationOf(tool, asked.arguments),
    notAfter: claim.at + claim.claimMs,
  };
}

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
      throw refused('The call was only asked about.');
    default:
      return last satisfies never;
  }
}

function assertTimely(
  claim: Claim,
  firstClaimedAt: number | undefined,
  statement: Statement<'decision'>,
  nowMs: number,
): void {
  if (claim.at > nowMs + CLOCK_SKEW_MS) throw refused('The claim is from the future.');
  if (nowMs > claim.at + claim.claimMs) throw refused('The claim ran out.');
  if (firstClaimedAt === undefined || firstClaimedAt > claim.at)
    throw refused('It cannot be told when the call was first claimed.');
  if (firstClaimedAt > statement.notAfter) throw refused('The call was claimed after its decision ran out.');
}

function refused(detail: string): Fault {
  return new Fault('lease_refused', { detail });
}
