import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Bus } from '@interlock/bus';
import { type Injection, rawPublicKey, Secret, sealContext, unseal } from '@interlock/contracts';
import type { AllowedCall } from './check.ts';
import { inSpan } from './trace.ts';

/** The broker reads the ledger and two entries: milliseconds, unless the bus is unwell. */
const LEASE_TIMEOUT_MS = 5_000;

/** A one-time key pair: the public half stands in the claim. */
export interface LeaseKey {
  publicKey: string;
  privateKey: KeyObject;
}

/** A credential for one call to one origin. */
export interface Lease {
  value: Secret;
  inject: Injection;
  origin: string;
}

/** Makes a one-time key pair. */
export function createLeaseKey(): LeaseKey {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  return { publicKey: rawPublicKey(publicKey), privateKey };
}

/**
 * Asks the broker for a claimed call's credential. A second run leases the same credential to the same key.
 * Throws the broker's fault, or `dependency_unavailable`.
 */
export async function leaseCredential(
  bus: Pick<Bus, 'ask'>,
  { statement, argumentsText, signed }: AllowedCall & { signed: string },
  key: LeaseKey,
  leftMs: number,
): Promise<Lease> {
  const { tenant, call, tool } = statement;
  const attributes = { 'interlock.call': call, 'gen_ai.tool.name': tool };
  return await inSpan('lease', { kind: 'client', attributes }, async () => {
    const asked = { tenant, call, statement: signed, arguments: argumentsText };
    const { sealed, inject, origin } = await bus.ask(
      'broker.lease',
      asked,
      Math.min(LEASE_TIMEOUT_MS, leftMs),
    );
    // A one-time key is its own key id.
    const recipient = { keyId: key.publicKey, privateKey: key.privateKey };
    const value = unseal(sealed, recipient, sealContext('lease', call));
    return { value: new Secret(value.toString('utf8')), inject, origin };
  });
}
