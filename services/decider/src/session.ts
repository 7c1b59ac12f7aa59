import type { Records } from '@interlock/bus';
import { type Call, Fault, type Session } from '@interlock/contracts';

/** Sessions remembered in this process; the others are read again from their store. */
const REMEMBERED_MAX = 10_000;

/**
 * The decider's own memory of sessions: KV bucket `sessions`, key `<tenant>.<session>`. A session is durable before
 * the first call in it is decided; later calls find it in memory.
 */
export class Sessions {
  readonly #records: Records<Session>;
  readonly #capacity: number;
  /** Oldest use first. */
  readonly #remembered = new Map<string, Session>();
  readonly #opening = new Map<string, Promise<Session>>();

  constructor(records: Records<Session>, capacity: number = REMEMBERED_MAX) {
    this.#records = records;
    this.#capacity = capacity;
  }

  /** Returns a call's session and opens it at the first call. Throws `dependency_unavailable`. */
  async of(call: Call, nowMs: number): Promise<Session> {
    const key = `${call.tenant}.${call.session}`;
    const known = this.#remembered.get(key);
    if (known !== undefined) {
      this.#remember(key, known);
      return known;
    }
    const opening = this.#opening.get(key) ?? this.#open(key, call, nowMs);
    this.#opening.set(key, opening);
    try {
      return await opening;
    } finally {
      this.#opening.delete(key);
    }
  }

  async #open(key: string, call: Call, nowMs: number): Promise<Session> {
    const { tenant, session, agent, user } = call;
    const stored = await this.#records.get(key);
    if (stored !== undefined) return this.#remember(key, stored.value);
    const fresh: Session = {
      tenant,
      session,
      agent,
      user,
      openedAt: nowMs,
      labels: [],
      used: { tools: [], destinations: [] },
      denied: [],
    };
    if ((await this.#records.put(key, fresh, 0)) !== undefined) return this.#remember(key, fresh);
    // Another replica was faster: what it wrote is the session.
    const theirs = await this.#records.get(key);
    if (theirs === undefined)
      throw new Fault('dependency_unavailable', { detail: 'The session cannot be read.' });
    return this.#remember(key, theirs.value);
  }

  #remember(key: string, session: Session): Session {
    this.#remembered.delete(key);
    this.#remembered.set(key, session);
    if (this.#remembered.size > this.#capacity) {
      const [oldest] = this.#remembered.keys();
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    return session;
  }
}
