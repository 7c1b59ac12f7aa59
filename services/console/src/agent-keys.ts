/** An agent's keys, as pure changes to its entry. Only a key's hash is kept; the key itself is shown once. */
import { randomBytes } from 'node:crypto';
import { type AgentEntry, Fault, newId, sha256 } from '@interlock/contracts';

const KEY_BYTES = 32;
const KEYS_MAX = 16;

/** A key that nobody has seen yet. */
export interface FreshKey {
  key: string;
  keyId: string;
}

/** Makes a key of 256 random bits. */
export function createAgentKey(): FreshKey {
  return { key: `ilk_${randomBytes(KEY_BYTES).toString('base64url')}`, keyId: newId('key') };
}

/**
 * Returns the agent with one more key. Keys it had stop after the overlap, or earlier where they stop earlier
 * anyway; keys that have stopped are forgotten. Throws `name_taken` when there is no room for another.
 */
export function withKey(
  agent: AgentEntry,
  fresh: FreshKey,
  { nowMs, validMs, overlapMs }: { nowMs: number; validMs: number; overlapMs: number },
): AgentEntry {
  const kept = agent.keys
    .filter((key) => key.notAfter > nowMs)
    .map((key) => ({ ...key, notAfter: Math.min(key.notAfter, nowMs + overlapMs) }))
    .filter((key) => key.notAfter > nowMs);
  if (kept.length >= KEYS_MAX)
    throw new Fault('name_taken', {
      detail: `The agent has ${KEYS_MAX} keys that still hold: revoke one first.`,
    });
  const added = {
    keyId: fresh.keyId,
    hash: sha256(fresh.key),
    createdAt: nowMs,
    notAfter: nowMs + validMs,
  };
  return { ...agent, keys: [...kept, added] };
}

/** Returns the agent without one key, or without any. Throws `name_unknown` when it has no such key. */
export function withoutKey(agent: AgentEntry, keyId: string | undefined): AgentEntry {
  if (keyId === undefined) return { ...agent, keys: [] };
  const kept = agent.keys.filter((key) => key.keyId !== keyId);
  if (kept.length === agent.keys.length)
    throw new Fault('name_unknown', { detail: 'The agent has no such key.' });
  return { ...agent, keys: kept };
}
