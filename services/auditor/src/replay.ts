/**
 * Replays: the recorded calls of a span of time, page by page.
 *
 * P1. One replay is one read of the store, however many pages it has.
 * P2. A cursor works once: the reply to it holds the next one. It is a random id, known only to whoever received it.
 * P3. Few replays are open, and an idle one is closed: the store keeps no cursor for a client that is gone.
 * P4. A call is returned once: as it started, was refused or evaluated, or at the end as it is still held.
 */
import {
  decisionRecordSchema,
  Fault,
  newId,
  type RecordedCall,
  type RpcReply,
  type RpcRequest,
  recordedCallSchema,
} from '@interlock/contracts';
import { z } from 'zod';
import type { RecordStore } from './mongo.ts';
import { chainRecordSchema } from './record.ts';

/** A page is read while the one before it is sent; about four of them fit the largest message. */
const PAGE_BYTES = 512 * 1_024;
/** The part of a 2 MiB message that one call may need: 512 KiB of arguments, escaped once more, and its facts. */
const CALL_MAX_BYTES = 1_310_720;
const PAGE_CALLS = 2_000;
/** Each holds a cursor of the store and two pages. */
const REPLAYS_MAX = 4;
/** A client asks for the next page at once; this is for one that is slow. */
const IDLE_MS = 60_000;
/** More questions than may be open at once; the ids of all that are open are remembered while a replay is read. */
const HELD_MAX = 2_000;
/** The steps that hold a decision. */
const replayedSteps = ['asked', 'started', 'refused', 'evaluated'] as const;

type Reply = RpcReply<'auditor.replay'>;

export interface Replays extends AsyncDisposable {
  /** Starts a replay, continues one, or ends one. Throws `name_unknown` for a cursor that is used or closed. */
  answer(request: RpcRequest<'auditor.replay'>): Promise<Reply>;
  /** Replays that are open. */
  readonly open: number;
}

export interface ReplayParts {
  store: Pick<RecordStore, 'replay' | 'read'>;
  clock: { sleep(ms: number, signal?: AbortSignal): Promise<void> };
}

/** Keeps the replays that are open. */
export function createReplays({ store, clock }: ReplayParts): Replays {
  const waiting = new Map<string, Waiting>();
  let open = 0;

  async function finish(reading: Reading): Promise<void> {
    open -= 1;
    await reading.end();
  }

  function keep(reading: Reading): string {
    const cursor = newId('replay');
    const taken = new AbortController();
    waiting.set(cursor, { reading, taken });
    clock.sleep(IDLE_MS, taken.signal).then(
      async () => {
        if (waiting.delete(cursor)) await finish(reading);
      },
      () => undefined,
    );
    return cursor;
  }

  function take(cursor: string): Reading {
    const found = waiting.get(cursor);
    if (found === undefined)
      throw new Fault('name_unknown', { detail: 'This replay has ended: start a new one.' });
    waiting.delete(cursor);
    found.taken.abort();
    return found.reading;
  }

  async function next(reading: Reading): Promise<Reply> {
    try {
      const { last, ...page } = await reading.page();
      if (!last) return { ...page, cursor: keep(reading) };
      await finish(reading);
      return page;
    } catch (error) {
      await finish(reading);
      throw error;
    }
  }

  return {
    get open() {
      return open;
    },
    async answer(request) {
      if (!('cursor' in request)) {
        if (open >= REPLAYS_MAX)
          throw new Fault('audit_unavailable', {
            detail: `${REPLAYS_MAX} replays are open, and no more may be: try again when one has ended.`,
          });
        open += 1;
        return await next(createReading(recordsOf(store, request)));
      }
      const reading = take(request.cursor);
      if (request.close !== true) return await next(reading);
      await finish(reading);
      return { calls: [], unreadable: 0 };
    },
    async [Symbol.asyncDispose]() {
      for (const cursor of [...waiting.keys()]) await finish(take(cursor));
    },
  };
}

interface Waiting {
  reading: Reading;
  /** Aborted when its cursor is used. */
  taken: AbortController;
}

interface Page {
  calls: RecordedCall[];
  unreadable: number;
  /** True for the last page. */
  last: boolean;
}

interface Reading {
  page(): Promise<Page>;
  end(): Promise<void>;
}

/** Reads pages, each while the one before it is sent. */
function createReading(records: AsyncGenerator<unknown>): Reading {
  const pages = pagesOf(records);
  let ahead: Promise<IteratorResult<Page, void>> | undefined;
  return {
    async page() {
      const { value } = await (ahead ?? pages.next());
      ahead = undefined;
      if (value === undefined) return { calls: [], unreadable: 0, last: true };
      if (!value.last) {
        ahead = pages.next();
        // `page` rejects with its failure when it is asked for.
        ahead.catch(() => undefined);
      }
      return value;
    },
    async end() {
      await pages.return();
    },
  };
}

const stepSchema = chainRecordSchema.pick({ _id: true, step: true, tenant: true, call: true });

/** Yields the records of a span, and at the end those of questions whose call has no later record in it (P4). */
async function* recordsOf(
  store: ReplayParts['store'],
  { since, until, ...named }: Extract<RpcRequest<'auditor.replay'>, { since: number }>,
): AsyncGenerator<unknown> {
  const held = new Map<string, string>();
  for await (const stored of store.replay({ ...named, since, until, steps: replayedSteps })) {
    const { data } = z.looseObject(stepSchema.shape).safeParse(stored);
    const key = `${data?.tenant}.${data?.call}`;
    if (data?.step !== 'asked') {
      held.delete(key);
      yield stored;
    } else if (held.size < HELD_MAX) held.set(key, data._id);
    // What cannot be remembered counts as unreadable.
    else yield undefined;
  }
  for (const id of held.values()) yield await store.read(id);
}

async function* pagesOf(records: AsyncGenerator<unknown>): AsyncGenerator<Page, void> {
  let page: Page = { calls: [], unreadable: 0, last: false };
  let bytes = 0;
  for await (const stored of records) {
    const call = recordedCall(stored);
    if (call === undefined) continue;
    const size = call === 'unreadable' ? 0 : Buffer.byteLength(JSON.stringify(call));
    if (call === 'unreadable' || size > CALL_MAX_BYTES) {
      page.unreadable += 1;
      continue;
    }
    if (page.calls.length > 0 && (bytes + size > PAGE_BYTES || page.calls.length >= PAGE_CALLS)) {
      yield page;
      page = { calls: [], unreadable: 0, last: false };
      bytes = 0;
    }
    page.calls.push(call);
    bytes += size;
  }
  yield { ...page, last: true };
}

/** The part of the evidence that a replay needs. */
const evidenceSchema = z.object({
  call: z.object({ arguments: z.string() }),
  decision: decisionRecordSchema,
});
const decidedSchema = z.object({ decision: z.unknown().optional() });
const eventSchema = z.object({
  code: z.string().optional(),
  evidence: z.unknown().optional(),
  /** The sealed part of a question. */
  sealed: z.unknown().optional(),
});

/**
 * Returns the recorded call of a record: undefined when policy was not asked about it, `unreadable` when it was and the
 * record lacks something that a replay needs.
 */
export function recordedCall(stored: unknown): RecordedCall | 'unreadable' | undefined {
  const record = chainRecordSchema.safeParse(stored).data;
  if (record === undefined) return 'unreadable';
  const event = eventSchema.safeParse(jsonOf(record.event)).data;
  const evidence = jsonOf(record.evidence);
  // The evidence could not be opened when it was recorded, so the decision is not known.
  if (evidence === undefined && (event?.evidence ?? event?.sealed) !== undefined) return 'unreadable';
  if (decidedSchema.safeParse(evidence).data?.decision === undefined) return undefined;
  const opened = evidenceSchema.safeParse(evidence).data;
  if (opened === undefined) return 'unreadable';
  const { tenant, call, agent, tool, at, step } = record;
  const parsed = recordedCallSchema.safeParse({
    tenant,
    call,
    agent,
    tool,
    at,
    step,
    ...(event?.code === undefined ? {} : { code: event.code }),
    decision: opened.decision,
    arguments: opened.call.arguments,
  });
  return parsed.success ? parsed.data : 'unreadable';
}

function jsonOf(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
