import type { Bus, EntryWatch, LedgerEntry } from '@interlock/bus';
import {
  type CredentialEntry,
  Fault,
  type RpcReply,
  type RpcRequest,
  type Statement,
  sealContext,
  type Tool,
} from '@interlock/contracts';
import { type Keyring, publicKeyFromRaw, type ServiceKeys, seal, unseal } from '@interlock/keys';
import { decryptCredential, encryptCredential, type Kek, readCredential } from './kek.ts';
import { grantLease, readStatement, versionOf } from './lease.ts';
import { killedBy } from './switches.ts';

/** What the broker answers with. */
export interface BrokerParts {
  bus: Pick<Bus, 'readCall' | 'readStep' | 'entries'>;
  switches: EntryWatch<'switches'>;
  /** Live, verified copies: the leader is asked where a copy may be behind, or does not have what was decided. */
  tools: EntryWatch<'tools'>;
  credentials: EntryWatch<'credentials'>;
  kek: Kek;
  keyring: Keyring;
  keys: ServiceKeys;
  nowMs: () => number;
}

/**
 * Leases one credential for one claimed call.
 * A second asking for the same claim gets the same credential sealed to the same one-time key: nobody learns
 * anything new, so it is harmless.
 */
export async function answerLease(
  parts: BrokerParts,
  asked: RpcRequest<'broker.lease'>,
): Promise<RpcReply<'broker.lease'>> {
  const { bus, switches, keyring, kek, nowMs } = parts;
  const statement = readStatement(asked, keyring, nowMs());
  const [last, tool] = await Promise.all([bus.readCall(asked.tenant, asked.call), toolOf(parts, statement)]);
  const firstClaimedAt = await readFirstClaim(bus, asked, last);
  const killed = (call: Parameters<typeof killedBy>[1]) => killedBy(switches, call);
  const facts = { last, firstClaimedAt, tool, killed };
  const { credential } = grantLease(asked, statement, facts, nowMs());
  const entry = await credentialOf(parts, credential);
  if (entry === undefined) throw new Fault('credential_unknown');
  // Reading took a while: the grant that is acted on is the one that holds now.
  const grant = grantLease(asked, statement, facts, nowMs());
  return {
    sealed: sealFor(grant.leaseKey, asked.call, entry, credential, kek),
    inject: grant.inject,
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

async function toolOf(
  { bus, tools }: BrokerParts,
  { tool, toolVersion }: Statement<'decision'>,
): Promise<Tool | undefined> {
  const copy = tools.current ? tools.get(tool) : undefined;
  if (copy !== undefined && versionOf(copy) === toolVersion) return copy;
  return (await bus.entries('tools').get(tool))?.value;
}

async function credentialOf(
  { bus, credentials }: BrokerParts,
  name: string,
): Promise<CredentialEntry | undefined> {
  const copy = credentials.current ? credentials.get(name) : undefined;
  return copy ?? (await bus.entries('credentials').get(name))?.value;
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
  // A one-time key is its own key id: no two boxes for different keys share one.
  const recipient = { keyId: leaseKey, key: publicKeyFromRaw('X25519', leaseKey) };
  return seal(decryptCredential(name, entry, kek).reveal(), [recipient], sealContext('lease', call));
}
