/** An agent's keys, as pure changes to its entry. Only a key's hash is stored; the key itself is returned once. */
import { randomBytes } from 'node:crypto';
import { type AgentEntry, Fault, newId, sha256 } from '@interlock/contracts';

const KEY_BYTES = 32;
const KEYS_MAX = 16;

/** A new key. */
export interface FreshKey {
  key: string;
  keyId: string;
}

/** Makes a key of 256 random bits. */
export function createAgentKey(): FreshKey {
  return { key: `ilk_${randomBytes(KEY_BYTES).toString('base64url')}`, keyId: newId('key') };
}

/**
 * Returns the agent with one more key. Its other keys expire after the overlap, or earlier where they expire earlier
 * anyway; expired keys are removed. Throws `name_taken` where the agent has the most keys that it may have.
 */
export function withKey(
  agent: AgentEntry,
  fresh: FreshKey,
  { nowMs, validMs, overlapMs, by }: { nowMs: number; validMs: number; overlapMs: number; by: string },
): AgentEntry {
  const kept = agent.keys
    .filter((key) => key.notAfter > nowMs)
    .map((key) => ({ ...key, notAfter: Math.min(key.notAfter, nowMs + overlapMs) }))
    .filter((key) => key.notAfter > nowMs);
  if (kept.length >= KEYS_MAX)
    throw new Fault('name_taken', {
      detail: `The agent has ${KEYS_MAX} valid keys, which is the limit.`,
      next: 'Revoke a key, then send the same request again.',
    });
  const added = {
    keyId: fresh.keyId,
    hash: sha256(fresh.key),
    createdAt: nowMs,
    notAfter: nowMs + validMs,
    by,
  };
  return { ...agent, keys: [...kept, added] };
}

/** Returns the agent without one key, or without any. Throws `name_unknown` where it does not have the key. */
export function withoutKey(agent: AgentEntry, keyId: string | undefined): AgentEntry {
  if (keyId === undefined) return { ...agent, keys: [] };
  const kept = agent.keys.filter((key) => key.keyId !== keyId);
  if (kept.length === agent.keys.length)
    throw new Fault('name_unknown', { detail: 'The agent has no key with this id.' });
  return { ...agent, keys: kept };
}
