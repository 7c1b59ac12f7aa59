/**
 * The decider's own memory of sessions: KV bucket `sessions`, key `<tenant>.<session>`.
 *
 * 1. A session is durable before the first call in it is decided.
 * 2. What is remembered only grows, and every write goes against the revision it was made from: two replicas lose
 *    nothing of each other's.
 * 3. A copy in memory counts only while the watch on the bucket is current; else the leader is read.
 */
import type { Records, RecordWatch, StoredRecord } from '@interlock/bus';
import { type Call, Fault, type Session } from '@interlock/contracts';
import { Queue } from '@interlock/shell';
import { LRUCache } from 'lru-cache';

/** Sessions remembered in this process; the others are read again from their store. */
const REMEMBERED_MAX = 10_000;
/** Each lost race means that another replica wrote; more of them than this in a row mean that something is wrong. */
const WRITE_TRIES = 8;
/** As many as a stored session takes. */
const USED_MAX = 512;
const DENIED_MAX = 64;

/** What a call let through makes use of. */
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
  /** Remembers what a call uses; resolves when it is durable, at once where it is nothing new. Throws `dependency_unavailable`. */
  use(call: Named, use: Use, nowMs: number): Promise<void>;
  /** Remembers that a person denied a call; harmless when repeated. Throws `dependency_unavailable`. */
  deny(call: Named, denial: Denial, nowMs: number): Promise<void>;
}

/** Opens the memory of sessions and begins to hear of what other replicas write. */
export async function openSessions(
  records: Records<Session>,
  capacity: number = REMEMBERED_MAX,
): Promise<Sessions> {
  const sessions = new StoredSessions(records, capacity);
  await sessions.listen();
  return sessions;
}

class StoredSessions implements Sessions {
  readonly #records: Records<Session>;
  readonly #remembered: LRUCache<string, StoredRecord<Session>>;
  #watch: RecordWatch | undefined;
  readonly #opening = new Map<string, Promise<StoredRecord<Session>>>();
  /** The writes of each session that has any: one replica's calls do not race each other. */
  readonly #writes = new Map<string, Queue>();

  constructor(records: Records<Session>, capacity: number) {
    this.#records = records;
    this.#remembered = new LRUCache({ max: capacity });
  }

  /** Begins to hear of what other replicas write of sessions that are known here, or are just being read. */
  async listen(): Promise<void> {
    this.#watch = await this.#records.watch((key, value, revision) => {
      if (value === undefined || revision === undefined) this.#remembered.delete(key);
      else if (this.#remembered.has(key) || this.#opening.has(key)) this.#remember(key, { value, revision });
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
    const known = this.#watch?.current === true ? this.#remembered.get(key) : undefined;
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
    if (stored !== undefined) return this.#remember(key, stored);
    const fresh = freshSession(call, nowMs);
    const revision = await this.#records.put(key, fresh, 0);
    // Where another replica was faster, what it wrote is the session.
    return revision === undefined
      ? await this.#readAgain(key)
      : this.#remember(key, { value: fresh, revision });
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
      const revision = await this.#records.put(key, value, stored.revision);
      if (revision !== undefined) {
        this.#remember(key, { value, revision });
        return;
      }
      stored = await this.#readAgain(key);
    }
    throw new Fault('dependency_unavailable', {
      detail: 'The session is being written by too many at once.',
    });
  }

  async #readAgain(key: string): Promise<StoredRecord<Session>> {
    const stored = await this.#records.get(key);
    if (stored === undefined)
      throw new Fault('dependency_unavailable', { detail: 'The session cannot be read.' });
    return this.#remember(key, stored);
  }

  /** Remembers a stored session, unless a newer one is known, and returns the newer. */
  #remember(key: string, stored: StoredRecord<Session>): StoredRecord<Session> {
    const known = this.#remembered.peek(key);
    const newer = known !== undefined && known.revision >= stored.revision ? known : stored;
    this.#remembered.set(key, newer);
    return newer;
  }
}

/** Returns the session with what a call uses; the very same one where that is nothing new, or its lists are full. */
function withUse(session: Session, { tool, destinations }: Use): Session {
  const tools = withNew(session.used.tools, [tool]);
  const origins = withNew(session.used.destinations, destinations);
  if (tools === session.used.tools && origins === session.used.destinations) return session;
  return { ...session, used: { tools, destinations: origins } };
}

function withNew(known: string[], more: string[]): string[] {
  const fresh = [...new Set(more)].filter((name) => !known.includes(name));
  const room = USED_MAX - known.length;
  return fresh.length === 0 || room <= 0 ? known : [...known, ...fresh.slice(0, room)];
}

function withDenial(session: Session, denial: Denial): Session {
  const told = session.denied.some(
    ({ at, tool, argumentsDigest }) =>
      at === denial.at && tool === denial.tool && argumentsDigest === denial.argumentsDigest,
  );
  if (told) return session;
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
