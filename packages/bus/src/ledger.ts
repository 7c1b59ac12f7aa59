import {
  type Claim,
  type ClaimStep,
  callFilter,
  type EventBody,
  Fault,
  type LedgerStep,
  parseSubject,
  type StoredStep,
  stepSubject,
} from '@interlock/contracts';
import type { StoredMsg } from '@nats-io/jetstream';
import { type ClaimNotice, followClaims } from './claims.ts';
import { assertUsable } from './connection.ts';
import type { BusContext } from './context.ts';
import { parseBody } from './envelope.ts';
import { type Published, publishEvent } from './publish.ts';
import { isMessageAbsent } from './server-errors.ts';
import { onStored } from './stored.ts';

/**
 * A claim whose acknowledgement is lost is published this often before the caller gets `dependency_unavailable`: see
 * docs/decisions/023.
 */
const CLAIM_TRIES = 2;

/** An event of a call on the ledger. */
export type LedgerEntry = {
  [S in LedgerStep]: { step: S; body: EventBody<S>; sequence: number };
}[LedgerStep];

/** What happened to a call: claimed, settled or refused, by whom, and what the ledger holds of it. */
export interface Ledger {
  /**
   * Claims a call: `started` expects nothing on the ledger, `restarted` expects the sequence of `started`.
   * After a lost acknowledgement the claim is published again and known by its nonce (B3).
   */
  claim(step: ClaimStep, claim: Claim, expected: number): Promise<Published>;
  /** Settles a claim. `stored: false` means that it was settled before. */
  settle(settled: EventBody<'settled'>, claimSequence: number): Promise<Published>;
  /** Refuses a call for good. `stored: false` means that it was started, settled or refused before. */
  refuse(refused: EventBody<'refused'>): Promise<Published>;
  /** Reads the last event of a call from the leader. Throws `dependency_unavailable`. */
  readCall(tenant: string, call: string): Promise<LedgerEntry | undefined>;
  /** Reads one step of a call from the leader. Throws `dependency_unavailable`. */
  readStep<S extends LedgerStep>(
    step: S,
    tenant: string,
    call: string,
  ): Promise<{ body: EventBody<S>; sequence: number } | undefined>;
  /** Calls back with every event of a step that is stored after this resolves. */
  onStored<S extends StoredStep>(step: S, listener: (body: EventBody<S>) => void): Promise<void>;
  /** Calls back with every claim until the notice is `done`, so that orphans are settled. */
  followClaims(listener: (notice: ClaimNotice) => void): AsyncDisposable;
}

/** Opens the ledger over a connection. */
export function openLedger(at: BusContext): Ledger {
  const ledger: Ledger = {
    claim: (step, claim, expected) => claimCall(at, ledger, step, claim, expected),
    settle: (settled, claimSequence) => publishEvent(at, 'settled', settled, settled, claimSequence),
    refuse: (refused) => publishEvent(at, 'refused', refused, refused, 0),
    readCall: async (tenant, call) => {
      const message = await readLast(at, callFilter('started', { tenant, call }));
      return message === undefined ? undefined : entryOf(message);
    },
    readStep: async (step, tenant, call) => {
      const message = await readLast(at, stepSubject(step, { tenant, call }));
      return message === undefined
        ? undefined
        : { body: parseBody(step, message.data), sequence: message.seq };
    },
    onStored: (step, listener) => onStored(at, step, listener),
    followClaims: (listener) => followClaims(at, listener),
  };
  return ledger;
}

/**
 * Claims a call. Where the acknowledgement is lost, the very same claim is published again (B3): a claim that is absent
 * now may still arrive, so only the server's rejection proves that one stands, and the nonce identifies it.
 */
async function claimCall(
  at: BusContext,
  ledger: Pick<Ledger, 'readStep'>,
  step: ClaimStep,
  claim: Claim,
  expected: number,
): Promise<Published> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const published = await publishEvent(at, step, claim, claim, expected);
      return published.stored ? published : await readBack(ledger, step, claim);
    } catch (fault) {
      const isDoubtful = fault instanceof Fault && fault.code === 'dependency_unavailable';
      if (!isDoubtful || !at.connection.connected || attempt >= CLAIM_TRIES) throw fault;
    }
  }
}

/** Reads the claim that stands after a rejection: with the same nonce it is this one. */
async function readBack(ledger: Pick<Ledger, 'readStep'>, step: ClaimStep, claim: Claim): Promise<Published> {
  const found = await ledger.readStep(step, claim.tenant, claim.call);
  if (found === undefined || found.body.nonce !== claim.nonce) return { stored: false };
  return { stored: true, sequence: found.sequence };
}

/** Reads from the leader. Throws `dependency_unavailable` when it does not answer in time. */
async function readLast({ connection, reader }: BusContext, filter: string): Promise<StoredMsg | undefined> {
  assertUsable(connection, 'The ledger cannot be read.');
  try {
    return (await reader.streams.getMessage('LEDGER', { last_by_subj: filter })) ?? undefined;
  } catch (cause) {
    if (isMessageAbsent(cause)) return undefined;
    throw new Fault('dependency_unavailable', { detail: 'The ledger cannot be read.', cause });
  }
}

function entryOf({ subject, data, seq: sequence }: StoredMsg): LedgerEntry {
  const step = parseSubject(subject)?.step;
  // The filter is the ledger's, so the step is one of the ledger's.
  if (step === undefined) throw new Fault('internal', { detail: `The ledger holds an unknown subject.` });
  return { step, body: parseBody(step, data), sequence } as LedgerEntry;
}
