/**
 * The decider's own memory of sessions: KV bucket `sessions`, key `<tenant>.<session>`.
 *
 * M1. A session is durable before the first call in it is decided.
 * M2. Memory only grows, and every write expects the revision it was made from: no replica overwrites another's.
 * M3. A cached session counts only while the watch on the bucket is current; otherwise the leader is read. After a write
 *     that was rejected the leader is right, also where it has less than is cached: its store was set back.
 */
import type { Records, RecordWatch, StoredRecord } from '@interlock/bus';
import { type Call, Fault, type Session } from '@interlock/contracts';
import { Queue } from '@interlock/shell';
import { LRUCache } from 'lru-cache';

/** Sessions cached in this process; the others are read again from their bucket. */
const CACHED_MAX = 10_000;
/** A rejected write means that another replica wrote. More of them in a row mean that something is wrong. */
const WRITE_TRIES = 8;
/** As many as the schema of a session takes. */
const USED_MAX = 512;
/**
 * Characters of all that a session used. An agent chooses the hosts of its destinations, and its session shares a bucket
 * with those of everybody: 512 usual ones have half of this.
 */
const USED_CHARACTERS_MAX = 32_768;
const DENIED_MAX = 64;

/** What a call that goes on uses. */
export interface Use {
  tool: string;
  /** Origins. */
  destinations: string[];
}

type Named = Pick<Call, 'tenant' | 'session' | 'agent' | 'user'>;
type Denial = Session['denied'][number];

export interface Sessions extends AsyncDisposable {
  /** Returns a call's session and opens it at the first call. Throws `dependency_unavailable`. */
  of(call: Named, nowMs: number): Promise<Session>;
  /** Stores what a call uses; resolves when that is durable, at once when nothing is new. Throws `dependency_unavailable`. */
  use(call: Named, use: Use, nowMs: number): Promise<void>;
  /** Stores that a person denied a call. A second time changes nothing. Throws `dependency_unavailable`. */
  deny(call: Named, denial: Denial, nowMs: number): Promise<void>;
}

/** The bucket, as far as sessions use it. */
export type SessionRecords = Pick<Records<Session>, 'get' | 'put' | 'watch'>;

/** Opens the memory of sessions and watches what other replicas write. */
export async function openSessions(
  records: SessionRecords,
  capacity: number = CACHED_MAX,
): Promise<Sessions> {
  const sessions = new StoredSessions(records, capacity);
  await sessions.watch();
  return sessions;
}

class StoredSessions implements Sessions {
  readonly #records: SessionRecords;
  readonly #cache: LRUCache<string, StoredRecord<Session>>;
  #watch: RecordWatch | undefined;
  readonly #opening = new Map<string, Promise<StoredRecord<Session>>>();
  /** The writes of each session that has any: one replica's calls do not race each other. */
  readonly #writes = new Map<string, Queue>();

  constructor(records: SessionRecords, capacity: number) {
    this.#records = records;
    this.#cache = new LRUCache({ max: capacity });
  }

  /** Watches for writes to sessions that are cached, or are just being read. */
  async watch(): Promise<void> {
    this.#watch = await this.#records.watch((key, value, revision) => {
      if (value === undefined || revision === undefined) this.#cache.delete(key);
      else if (this.#cache.has(key) || this.#opening.has(key)) this.#keep(key, { value, revision });
    });
  }

  async of(call: Named, nowMs: number): Promise<Session> {
    return (await this.#stored(call, nowMs)).value;
  }

  use(call: Named, use: Use, nowMs: number): Promise<void> {
    return this.#change(call, nowMs, (session) => withUse(session, use));
  }

  deny(call: Named, denial: Denial, nowMs: number): Promise<void> {
    return this.#change(call, nowMs, (session) => withDenial(session, denial));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch?.[Symbol.asyncDispose]();
  }

  async #stored(call: Named, nowMs: number): Promise<StoredRecord<Session>> {
    const key = keyOf(call);
    const known = this.#watch?.current === true ? this.#cache.get(key) : undefined; // M3
    if (known !== undefined) return known;
    const opening = this.#opening.get(key) ?? this.#open(key, call, nowMs);
    this.#opening.set(key, opening);
    try {
      return await opening;
    } finally {
      if (this.#opening.get(key) === opening) this.#opening.delete(key);
    }
  }

  async #open(key: string, call: Named, nowMs: number): Promise<StoredRecord<Session>> {
    const stored = await this.#records.get(key);
    if (stored !== undefined) return this.#keep(key, stored);
    const fresh = freshSession(call, nowMs);
    const revision = await this.#records.put(key, fresh, 0); // M1
    // Another replica may have opened the session first: then that one counts.
    return revision === undefined ? await this.#readAgain(key) : this.#keep(key, { value: fresh, revision });
  }

  async #change(call: Named, nowMs: number, change: (session: Session) => Session): Promise<void> {
    const { value } = await this.#stored(call, nowMs);
    if (change(value) === value) return;
    const key = keyOf(call);
    const queue = this.#writes.get(key) ?? new Queue();
    this.#writes.set(key, queue);
    try {
      await queue.run(async () => await this.#write(key, await this.#stored(call, nowMs), change));
    } finally {
      if (queue.size === 0) this.#writes.delete(key);
    }
  }

  async #write(
    key: string,
    first: StoredRecord<Session>,
    change: (session: Session) => Session,
  ): Promise<void> {
    let stored = first;
    for (let attempt = 0; attempt < WRITE_TRIES; attempt += 1) {
      const value = change(stored.value);
      if (value === stored.value) return;
      const revision = await this.#records.put(key, value, stored.revision); // M2
      if (revision !== undefined) {
        this.#keep(key, { value, revision });
        return;
      }
      stored = await this.#readAgain(key);
    }
    throw new Fault('dependency_unavailable', {
      detail: 'Too many calls write to the session at once.',
    });
  }

  async #readAgain(key: string): Promise<StoredRecord<Session>> {
    const known = this.#cache.peek(key);
    const stored = await this.#records.get(key);
    if (stored === undefined)
      throw new Fault('dependency_unavailable', { detail: 'The session cannot be read.' });
    // The leader has at least what was known before it was asked, unless its store was set back: then it counts.
    if (known !== undefined && known.revision > stored.revision) this.#cache.delete(key);
    return this.#keep(key, stored);
  }

  /** Caches a stored session, unless a newer one is cached, and returns the newer. */
  #keep(key: string, stored: StoredRecord<Session>): StoredRecord<Session> {
    const known = this.#cache.peek(key);
    const newer = known !== undefined && known.revision >= stored.revision ? known : stored;
    this.#cache.set(key, newer);
    return newer;
  }
}

/** Returns the session with what a call uses; the same object when nothing is new or the lists are full. */
function withUse(session: Session, { tool, destinations }: Use): Session {
  const { used } = session;
  const room = USED_CHARACTERS_MAX - lengthOf(used.tools) - lengthOf(used.destinations);
  const tools = withNew(used.tools, [tool], room);
  const origins = withNew(used.destinations, destinations, room - (lengthOf(tools) - lengthOf(used.tools)));
  if (tools === session.used.tools && origins === session.used.destinations) return session;
  return { ...session, used: { tools, destinations: origins } };
}

/** Adds the new ones of `more` while there is room, in number and in characters. */
function withNew(known: string[], more: string[], characters: number): string[] {
  const added: string[] = [];
  for (const name of new Set(more)) {
    const isFull = known.length + added.length >= USED_MAX;
    if (!isFull && !known.includes(name) && lengthOf(added) + name.length <= characters) added.push(name);
  }
  return added.length === 0 ? known : [...known, ...added];
}

function lengthOf(names: readonly string[]): number {
  return names.reduce((sum, name) => sum + name.length, 0);
}

function withDenial(session: Session, denial: Denial): Session {
  const known = session.denied.some(
    ({ at, tool, argumentsDigest }) =>
      at === denial.at && tool === denial.tool && argumentsDigest === denial.argumentsDigest,
  );
  if (known) return session;
  const denied = [...session.denied, denial].sort((one, other) => one.at - other.at);
  return { ...session, denied: denied.slice(-DENIED_MAX) };
}

function freshSession({ tenant, session, agent, user }: Named, nowMs: number): Session {
  const used = { tools: [], destinations: [] };
  return { tenant, session, agent, user, openedAt: nowMs, labels: [], used, denied: [] };
}

function keyOf({ tenant, session }: Named): string {
  return `${tenant}.${session}`;
}
