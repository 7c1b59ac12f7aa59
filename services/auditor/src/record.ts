/**
 * The record of one message: a pure function of the message and of the box in it. The same message always makes the
 * same record, so storing it a second time is harmless.
 */
import type { StreamRecord } from '@interlock/bus';
import {
  auditedStreams,
  canonicalJson,
  digestSchema,
  idSchema,
  instantMsSchema,
  parsedJsonSchema,
  parseSubject,
  sha256,
} from '@interlock/contracts';
import { z } from 'zod';
import { type Open, openEvidence, sealedMember } from './evidence.ts';

/** A document of MongoDB holds 16 MiB. A message that comes near that is recorded by its digest. */
const RECORD_MAX_BYTES = 12 * 1_048_576;
/** A safe integer has at most so many digits. Padded to them, ids sort as their sequences do. */
const SEQUENCE_DIGITS = 16;

/** A record as it is stored. Parts of any shape are texts of canonical JSON (RFC 8785). */
export const chainRecordSchema = z.strictObject({
  _id: z.string(),
  stream: z.enum(auditedStreams),
  /** When the stream was created, RFC 3339. */
  created: z.string(),
  sequence: z.int().positive(),
  subject: z.string(),
  storedAtMs: instantMsSchema,
  step: z.string(),
  tenant: idSchema.optional(),
  agent: idSchema.optional(),
  call: idSchema.optional(),
  tool: idSchema.optional(),
  at: instantMsSchema,
  /** The event's body, without its sealed part when that was opened. */
  event: z.string(),
  /** What the sealed part held. */
  evidence: z.string().optional(),
  /** SHA-256 of the subject, a line feed, and the message's bytes. */
  digest: digestSchema,
  /** Hash of the record before, or the chain's beginning. */
  previous: digestSchema,
  hash: digestSchema,
});
export type ChainRecord = z.infer<typeof chainRecordSchema>;

/** A record that is not linked into the chain yet. */
export type Unlinked = Omit<ChainRecord, 'previous' | 'hash'>;

/** Returns the id of a record. Ids sort by stream, the stream's creation, and sequence. */
export function recordId({
  stream,
  created,
  sequence,
}: Pick<ChainRecord, 'stream' | 'created' | 'sequence'>): string {
  return `${stream}:${created}:${String(sequence).padStart(SEQUENCE_DIGITS, '0')}`;
}

/** Returns the digest of a message as records hold it. */
export function messageDigest({ subject, data }: Pick<StreamRecord, 'subject' | 'data'>): string {
  return sha256(Buffer.concat([Buffer.from(`${subject}\n`), data]));
}

/** Returns the record of a message. A message that cannot be read or is too large gets a stub with its digest. */
export function recordOf(message: StreamRecord, open: Open): Unlinked {
  const body = bodyOf(message.data);
  if (body === undefined) return stubOf(message, 'The message is not a JSON object.');
  const head = { ...headOf(message), ...columnsOf(message, body) };
  const evidence = openEvidence(message.step, body, open);
  const event = evidence === undefined ? body : withoutSealed(body);
  const record = withTexts(head, event, evidence);
  if (record === undefined) return stubOf(message, 'The message cannot be written as canonical JSON.');
  const bytes = Buffer.byteLength(record.event) + Buffer.byteLength(record.evidence ?? '');
  return bytes > RECORD_MAX_BYTES ? stubOf(message, 'The message is too large for the store.') : record;
}

/** Returns a record without the content of its message: where that stood, and its digest. */
export function stubOf(message: StreamRecord, stub: string): Unlinked {
  const event = canonicalJson({ stub, bytes: message.data.length });
  return { ...headOf(message), ...columnsOf(message, {}), event };
}

/** Returns the record of a sequence that its stream no longer held when it was to be recorded. */
export function missingOf(place: Pick<ChainRecord, 'stream' | 'created' | 'sequence'>, at: number): Unlinked {
  const message = { ...place, step: undefined, subject: '', storedAtMs: at, data: new Uint8Array() };
  const event = canonicalJson({ stub: 'The stream no longer held this sequence.', bytes: 0 });
  return { ...headOf(message), step: MISSING, at, event };
}

/** The step of a record that stands for a lost message. */
export const MISSING = 'missing';

const bodySchema = z.record(z.string(), parsedJsonSchema);
type Body = z.infer<typeof bodySchema>;

function bodyOf(data: Uint8Array): Body | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(data);
    return bodySchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function headOf(message: StreamRecord) {
  const { stream, created, sequence, subject, storedAtMs } = message;
  const place = { stream, created, sequence };
  return { _id: recordId(place), ...place, subject, storedAtMs, digest: messageDigest(message) };
}

/** Members of a body that become columns. A member of another shape is ignored. */
const columnsSchema = z.object({
  tenant: idSchema.optional().catch(undefined),
  agent: idSchema.optional().catch(undefined),
  call: idSchema.optional().catch(undefined),
  tool: idSchema.optional().catch(undefined),
  at: instantMsSchema.optional().catch(undefined),
  askedAt: instantMsSchema.optional().catch(undefined),
});

/** Tenant and call of the subject, which the bus enforces, come before those of the body. */
function columnsOf({ subject, step, storedAtMs }: StreamRecord, body: Body) {
  const { question } = body;
  const named = columnsSchema.parse({ ...bodySchema.safeParse(question).data, ...body });
  const address = parseSubject(subject)?.address;
  const tenant = address?.tenant ?? named.tenant;
  const call = address?.call ?? named.call;
  return {
    step: step ?? operationOf(subject),
    ...(tenant === undefined ? {} : { tenant }),
    ...(named.agent === undefined ? {} : { agent: named.agent }),
    ...(call === undefined ? {} : { call }),
    ...(named.tool === undefined ? {} : { tool: named.tool }),
    at: named.at ?? named.askedAt ?? storedAtMs,
  };
}

/** A management operation is named by its kind and verb, the last tokens of its subject before the tenant. */
function operationOf(subject: string): string {
  return subject.split('.').slice(3, -1).join('.') || 'unknown';
}

function withoutSealed(body: Body): Body {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !sealedMember.includes(name)));
}

function withTexts(
  head: Omit<Unlinked, 'event'>,
  event: Body,
  evidence: string | undefined,
): Unlinked | undefined {
  try {
    return { ...head, event: canonicalJson(event), ...(evidence === undefined ? {} : { evidence }) };
  } catch {
    return undefined;
  }
}
