/** What people see of the records. */
import {
  type AuditRecord,
  auditedStreams,
  evidenceSchema,
  Fault,
  type RpcReply,
  type RpcRequest,
} from '@interlock/contracts';
import { z } from 'zod';
import { sealedMember } from './evidence.ts';
import type { RecordStore } from './mongo.ts';
import { type ChainRecord, chainRecordSchema } from './record.ts';

/** A reply must fit into one message of the bus, which takes 2 MiB. */
const REPLY_MAX_BYTES = 1_572_864;
/** When not everything fits, the evidence of these steps is included first, in this order. */
const evidenceFirst = ['started', 'refused', 'resolved', 'asked', 'restarted'];

/** Returns all records of a call in the order in which they were stored, with the evidence that was sealed in them. */
export async function show(
  { call, tenants }: RpcRequest<'auditor.show'>,
  store: Pick<RecordStore, 'ofCall'>,
): Promise<RpcReply<'auditor.show'>> {
  const found = (await store.ofCall(call, tenants)).map((stored) => parse(chainRecordSchema, stored));
  const records = found.toSorted(
    (left, right) => left.storedAtMs - right.storedAtMs || orderOf(left) - orderOf(right),
  );
  const fits = roomFor(REPLY_MAX_BYTES);
  const views = new Map(records.map((record) => [record._id, viewOf(record)]));
  for (const view of views.values()) fits(view);
  const byStep = records.toSorted(
    (left, right) => evidenceFirst.indexOf(left.step) - evidenceFirst.indexOf(right.step),
  );
  for (const { _id, evidence } of byStep) {
    const view = views.get(_id);
    const opened = evidence === undefined ? undefined : evidenceSchema.safeParse(jsonOf(evidence)).data;
    if (view !== undefined && opened !== undefined && fits(opened))
      views.set(_id, { ...view, evidence: opened });
  }
  return { records: [...views.values()] };
}

/** Returns the newest records that match, newest first, as many as fit into one reply. */
export async function search(
  wanted: RpcRequest<'auditor.search'>,
  store: Pick<RecordStore, 'search'>,
): Promise<RpcReply<'auditor.search'>> {
  const fits = roomFor(REPLY_MAX_BYTES);
  const views = (await store.search(wanted)).map((stored) => viewOf(parse(foundSchema, stored)));
  const end = views.findIndex((view) => !fits(view));
  return { records: end === -1 ? views : views.slice(0, end) };
}

const foundSchema = chainRecordSchema.omit({ evidence: true });
const eventSchema = z.record(z.string(), z.json());

/** A record whose shape was altered is not shown: `verify` reports what is wrong with it. */
function parse<T>(schema: z.ZodType<T>, stored: unknown): T {
  const parsed = schema.safeParse(stored);
  if (!parsed.success)
    throw new Fault('audit_unavailable', {
      detail: 'A stored record was altered: run interlock audit verify.',
      cause: parsed.error,
    });
  return parsed.data;
}

function viewOf(record: Omit<ChainRecord, 'evidence'>): AuditRecord {
  const { stream, sequence, step, tenant, agent, call, tool, at, event, hash } = record;
  return {
    stream,
    sequence,
    step,
    ...(tenant === undefined ? {} : { tenant }),
    ...(agent === undefined ? {} : { agent }),
    ...(call === undefined ? {} : { call }),
    ...(tool === undefined ? {} : { tool }),
    at,
    event: withoutSealed(event),
    hash,
  };
}

function withoutSealed(event: string): AuditRecord['event'] {
  const body = parse(eventSchema, jsonOf(event));
  return Object.fromEntries(Object.entries(body).filter(([name]) => !sealedMember.includes(name)));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function orderOf({ stream, sequence }: ChainRecord): number {
  return sequence * auditedStreams.length + auditedStreams.indexOf(stream);
}

/** Returns a function that returns whether one more value fits, and reserves its room when it does. */
function roomFor(bytes: number): (value: unknown) => boolean {
  let left = bytes;
  return (value) => {
    const size = Buffer.byteLength(JSON.stringify(value));
    if (size > left) return false;
    left -= size;
    return true;
  };
}
