import type { EntryWatch, Ledger, LedgerEntry } from '@interlock/bus';
import {
  type CredentialEntry,
  Fault,
  type RpcReply,
  type RpcRequest,
  sealContext,
} from '@interlock/contracts';
import { type EntrySource, readEntry, readTool } from '@interlock/gate';
import { type Keyring, publicKeyFromRaw, type ServiceKeys, seal, unseal } from '@interlock/keys';
import { decryptCredential, encryptCredential, type Kek, readCredential } from './kek.ts';
import { grantLease, readStatement } from './lease.ts';

/** What the broker answers with. */
export interface BrokerParts {
  bus: Ledger;
  switches: Pick<EntryWatch<'switches'>, 'current' | 'get'>;
  tools: EntrySource<'tools'>;
  credentials: EntrySource<'credentials'>;
  kek: Kek;
  keyring: Keyring;
  keys: ServiceKeys;
  nowMs: () => number;
}

/**
 * Leases the credentials of a tool for one claimed call.
 * A second request for the same claim gets the same credentials sealed to the same one-time key, so it reveals nothing
 * new and is harmless.
 */
export async function answerLease(
  parts: BrokerParts,
  asked: RpcRequest<'broker.lease'>,
): Promise<RpcReply<'broker.lease'>> {
  const { bus, switches, tools, credentials, keyring, kek, nowMs } = parts;
  const statement = readStatement(asked, keyring, nowMs());
  const [last, tool] = await Promise.all([
    bus.readCall(asked.tenant, asked.call),
    readTool(tools, statement),
  ]);
  const firstClaimedAt = await readFirstClaim(bus, asked, last);
  const facts = { last, firstClaimedAt, tool, switches };
  const asks = grantLease(asked, statement, facts, nowMs());
  const entries = await Promise.all(
    asks.credentials.map(async ({ name, inject }) => {
      const entry = await readEntry(credentials, name);
      if (entry === undefined) throw new Fault('credential_unknown');
      return { name, inject, entry };
    }),
  );
  // Reading took time: the grant that counts is the one that holds now.
  const grant = grantLease(asked, statement, facts, nowMs());
  return {
    credentials: entries.map(({ name, inject, entry }) => ({
      sealed: sealFor(grant.leaseKey, asked.call, entry, name, kek),
      inject,
    })),
    origin: grant.origin,
    notAfter: grant.notAfter,
  };
}

/** Encrypts a credential that the console sealed to the broker. A second run makes another box of the same value. */
export function answerSeal(
  { kek, keys, nowMs }: Pick<BrokerParts, 'kek' | 'keys' | 'nowMs'>,
  { name, sealed }: RpcRequest<'broker.seal'>,
): RpcReply<'broker.seal'> {
  const value = readCredential(unseal(sealed, keys.seal, sealContext('credential', name)));
  return encryptCredential(name, value, kek, nowMs());
}

async function readFirstClaim(
  bus: BrokerParts['bus'],
  { tenant, call }: RpcRequest<'broker.lease'>,
  last: LedgerEntry | undefined,
): Promise<number | undefined> {
  if (last?.step !== 'restarted') return last?.body.at;
  return (await bus.readStep('started', tenant, call))?.body.at;
}

function sealFor(leaseKey: string, call: string, entry: CredentialEntry, name: string, kek: Kek) {
  // A one-time key is its own key id, so that no two keys share one.
  const recipient = { keyId: leaseKey, key: publicKeyFromRaw('X25519', leaseKey) };
  return seal(decryptCredential(name, entry, kek).reveal(), [recipient], sealContext('lease', call));
}
