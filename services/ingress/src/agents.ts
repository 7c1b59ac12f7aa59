import type { EntryWatch } from '@interlock/bus';
import { type AgentEntry, Fault, sha256 } from '@interlock/contracts';

const BEARER = /^bearer (ilk_[A-Za-z0-9_-]{43})$/i;

interface KnownKey {
  entryKey: string;
  agent: AgentEntry;
  notAfter: number;
}

/** The agents' keys by the hash of the key: several per agent while they rotate, none after they are revoked. */
export class AgentKeys {
  readonly #byHash = new Map<string, KnownKey>();
  readonly #hashes = new Map<string, string[]>();

  /** Takes over an agent's entry as it is now; without one, the agent's keys are removed. */
  change(entryKey: string, agent: AgentEntry | undefined): void {
    for (const hash of this.#hashes.get(entryKey) ?? []) this.#drop(hash, entryKey);
    this.#hashes.delete(entryKey);
    if (agent === undefined) return;
    for (const { hash, notAfter } of agent.keys) this.#byHash.set(hash, { entryKey, agent, notAfter });
    this.#hashes.set(
      entryKey,
      agent.keys.map(({ hash }) => hash),
    );
  }

  /**
   * Returns the agent whose key is in an Authorization header. Throws `key_missing` or `key_invalid`.
   * Keys are 256 random bits and only their hash is compared, so the time of the look-up reveals nothing about a key.
   */
  authenticate(authorization: string | undefined, nowMs: number): AgentEntry {
    if (authorization === undefined) throw new Fault('key_missing');
    const key = BEARER.exec(authorization)?.[1];
    const known = key === undefined ? undefined : this.#byHash.get(sha256(key));
    if (known === undefined || known.notAfter <= nowMs) throw new Fault('key_invalid');
    return known.agent;
  }

  #drop(hash: string, entryKey: string): void {
    if (this.#byHash.get(hash)?.entryKey === entryKey) this.#byHash.delete(hash);
  }
}

/** Returns an agent as it is now. Throws `dependency_unavailable` while the copy may be behind. */
export function currentAgent(
  watch: Pick<EntryWatch<'agents'>, 'current' | 'get'>,
  tenant: string,
  agent: string,
): AgentEntry | undefined {
  if (!watch.current) throw new Fault('dependency_unavailable');
  return watch.get(`${tenant}.${agent}`);
}

/** Authenticates against a live copy of the agents. Throws `dependency_unavailable` while it may be behind. */
export function authenticator(
  watch: Pick<EntryWatch<'agents'>, 'current' | 'onChange'>,
): (authorization: string | undefined, nowMs: number) => AgentEntry {
  const keys = new AgentKeys();
  watch.onChange((entryKey, agent) => keys.change(entryKey, agent));
  return (authorization, nowMs) => {
    // A copy that is behind may hold a key that was revoked.
    if (!watch.current) throw new Fault('dependency_unavailable');
    return keys.authenticate(authorization, nowMs);
  };
}
