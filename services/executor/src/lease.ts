import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Peers } from '@interlock/bus';
import { Fault, type Sealed, sealContext } from '@interlock/contracts';
import { rawPublicKey, Secret, unseal } from '@interlock/keys';
import type { Credential } from '@interlock/request';
import type { AllowedCall } from './check.ts';
import { inSpan } from './trace.ts';

/** The broker reads the ledger and two entries: milliseconds, unless NATS is slow. */
const ASK_TIMEOUT_MS = 5_000;
/** A broker that is restarted answers again within this. Nothing was sent yet, so the call can wait for it. */
const RETRY_FOR_MS = 10_000;
const RETRY_MS = 100;

/** A one-time key pair: the public half stands in the claim. */
export interface LeaseKey {
  publicKey: string;
  privateKey: KeyObject;
}

/** The credentials of one call to one origin. */
export interface Lease {
  credentials: readonly Credential[];
  origin: string;
}

/** Makes a one-time key pair. */
export function createLeaseKey(): LeaseKey {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  return { publicKey: rawPublicKey(publicKey), privateKey };
}

/** What a request for a lease needs besides the call. */
export interface LeaseParts {
  bus: Peers;
  /** Milliseconds until the claim runs out. */
  leftMs: () => number;
  sleep: (ms: number) => Promise<void>;
}

/**
 * Asks the broker for a claimed call's credentials, again while it does not answer and the claim has time. A second
 * run leases the same credentials to the same key. Throws the broker's fault, or `dependency_unavailable`.
 */
export async function leaseCredential(
  allowed: AllowedCall & { signed: string },
  key: LeaseKey,
  parts: LeaseParts,
): Promise<Lease> {
  const { call, tool } = allowed.statement;
  const attributes = { 'interlock.call': call, 'gen_ai.tool.name': tool };
  return await inSpan('lease', { kind: 'client', attributes }, async () => {
    const giveUpAtLeftMs = Math.max(RETRY_MS, parts.leftMs() - RETRY_FOR_MS);
    for (;;) {
      try {
        return await ask(allowed, key, parts);
      } catch (cause) {
        const passing = cause instanceof Fault && cause.code === 'dependency_unavailable';
        if (!passing || parts.leftMs() <= giveUpAtLeftMs) throw cause;
      }
      await parts.sleep(RETRY_MS);
    }
  });
}

async function ask(
  { statement, argumentsText, signed }: AllowedCall & { signed: string },
  key: LeaseKey,
  { bus, leftMs }: LeaseParts,
): Promise<Lease> {
  const { tenant, call } = statement;
  const request = { tenant, call, statement: signed, arguments: argumentsText };
  const timeoutMs = Math.max(1, Math.min(ASK_TIMEOUT_MS, leftMs()));
  const { credentials, origin } = await bus.ask('broker.lease', request, timeoutMs);
  // A one-time key is its own key id.
  const recipient = { keyId: key.publicKey, privateKey: key.privateKey };
  const open = (sealed: Sealed) => unseal(sealed, recipient, sealContext('lease', call)).toString('utf8');
  return {
    credentials: credentials.map(({ sealed, inject }) => ({ value: new Secret(open(sealed)), inject })),
    origin,
  };
}
