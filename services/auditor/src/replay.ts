/**
 * Replays: the recorded calls of a span of time, handed out page by page.
 *
 * 1. One replay is one read of the store, however many pages it has.
 * 2. A cursor works once: the reply to it holds the next one. It is a random id, known to whoever was given it.
 * 3. Replays are few, and one that nobody goes on with is closed: the store keeps nothing open for the dead.
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

/** A page is made while the one before it travels; about four of them fit the bus's largest message. */
const PAGE_BYTES = 512 * 1_024;
/** What one call may take of a message of 2 MiB: 512 KiB of arguments escaped once more, and its facts. */
const CALL_MAX_BYTES = 1_310_720;
const PAGE_CALLS = 2_000;
/** Each holds a cursor of the store and two pages. */
const REPLAYS_MAX = 4;
/** Whoever replays asks for the next page at once; this is for one that reads slowly. */
const IDLE_MS = 60_000;
/** The ledger's steps that hold a decision. */
const replayedSteps = ['started', 'refused', 'evaluated'] as const;

type Reply = RpcReply<'auditor.replay'>;

export interface Replays extends AsyncDisposable {
  /** Begins a replay, goes on with one, or ends one. Throws `name_unknown` for a cursor that is none any more. */
  answer(request: RpcRequest<'auditor.replay'>): Promise<Reply>;
  /** Replays that are open. */
  readonly open: number;
}

export interface ReplayParts {
  store: Pick<RecordStore, 'replay'>;
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
      throw new Fault('name_unknown', { detail: 'This replay has ended: begin a new one.' });
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
            detail: `${REPLAYS_MAX} replays are running, which is as many as may.`,
          });
        open += 1;
        return await next(createReading(store.replay({ ...request, steps: replayedSteps })));
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
  /** Aborted when somebody goes on with it. */
  taken: AbortController;
}

interface Page {
  calls: RecordedCall[];
  unreadable: number;
  /** True when nothing comes after it. */
  last: boolean;
}

interface Reading {
  page(): Promise<Page>;
  end(): Promise<void>;
}

/** Reads pages, and the next one ahead. */
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
        // Whoever asks for it hears of its failure.
        ahead.catch(() => undefined);
      }
      return value;
    },
    async end() {
      await pages.return();
    },
  };
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

/** Of the evidence only this matters here; whatever else it holds is for `auditor.show`. */
const evidenceSchema = z.object({
  call: z.object({ arguments: z.string() }),
  decision: decisionRecordSchema,
});
const decidedSchema = z.object({ decision: z.unknown().optional() });
const eventSchema = z.object({ code: z.string().optional(), evidence: z.unknown().optional() });

/**
 * Returns a record as the authors of policies replay it: undefined when policy was not asked about the call,
 * `unreadable` when it was and the record does not say all that a replay needs.
 */
export function recordedCall(stored: unknown): RecordedCall | 'unreadable' | undefined {
  const record = chainRecordSchema.safeParse(stored).data;
  if (record === undefined) return 'unreadable';
  const event = eventSchema.safeParse(jsonOf(record.event)).data;
  const evidence = jsonOf(record.evidence);
  // The seal did not open when it was recorded, so nobody knows what was decided.
  if (evidence === undefined && event?.evidence !== undefined) return 'unreadable';
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
