/** What can be seen of a round from outside, gathered once it is over. */
import { type AuditRecord, auditRecordSchema, auditVerificationSchema } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { z } from 'zod';
import type { Line } from '../line.ts';
import type { Outcome } from './play.ts';

/** The auditor follows within milliseconds, or within its recovery. */
const AUDIT_MS = 30_000;
const PAGE_RECORDS = 1_000;
const PAGES_MAX = 1_000;

/** An authorized request that the upstream took. */
export interface Effect {
  /** The body, which holds the text of the call. */
  body: string;
  /** The id of the call, as the executor names it. */
  call: string;
  /** The path. */
  url: string;
  /** When it came, on the monotonic clock. */
  atMs: number;
}

export type Observed = Omit<Outcome, 'leftOut'> & {
  effects: Effect[];
  records: AuditRecord[];
  /** What `audit verify` says; undefined where it gave no answer. */
  verification: { intact: boolean; problems: string[] } | undefined;
};

/** Gathers what a round left behind. The audit is waited for until it has an outcome of every call that is `told`. */
export async function observe(outcome: Outcome, told: ReadonlySet<string>, line: Line): Promise<Observed> {
  const effects = line.upstream.requests
    .filter(({ authorized }) => authorized)
    .map(({ body, call = '', url, atMs }) => ({ body, call, url, atMs }));
  let records: AuditRecord[] = [];
  await eventually(async () => {
    records = await recordsOf(line);
    const ended = new Set(records.filter(({ step }) => isEnd(step)).map(({ call }) => call));
    return [...told].every((call) => ended.has(call));
  }, AUDIT_MS).catch(() => undefined);
  return { ...outcome, effects, records, verification: await verify(line) };
}

function isEnd(step: string): boolean {
  return step === 'settled' || step === 'refused';
}

const recordsSchema = z.looseObject({ records: z.array(auditRecordSchema) });

/** Reads all records, newest first, a page at a time. */
async function recordsOf(line: Line): Promise<AuditRecord[]> {
  const found = new Map<string, AuditRecord>();
  let until: number | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const query = `limit=${PAGE_RECORDS}${until === undefined ? '' : `&until=${until}`}`;
    const { status, body, text } = await line.person('alice').get(`/v1/audit/search?${query}`);
    if (status !== 200) throw new Error(`The audit answers ${status} ${text}`);
    const { records } = recordsSchema.parse(body);
    const before = found.size;
    for (const record of records) found.set(`${record.stream}:${record.sequence}:${record.hash}`, record);
    const oldest = records.at(-1)?.at;
    if (oldest === undefined) break;
    // Where a page brought nothing new, all records of its last instant are known.
    until = found.size === before ? oldest - 1 : oldest;
  }
  return [...found.values()];
}

async function verify(line: Line): Promise<Observed['verification']> {
  return await eventually(async () => {
    const { status, body } = await line.person('alice').post('/v1/audit/verify', {});
    if (status !== 200) return false;
    const { intact, problems } = auditVerificationSchema.parse(body);
    return { intact, problems: problems.map((problem) => JSON.stringify(problem)) };
  }, AUDIT_MS).catch(() => undefined);
}
