/**
 * The hash chain of one stream: each record's hash covers every stored field of it, and the hash before.
 */
import { type AuditedStream, digestOf } from '@interlock/contracts';
import { type ChainRecord, recordId, type Unlinked } from './record.ts';

/** The end of a chain. */
export interface Head {
  stream: AuditedStream;
  created: string;
  /** 0 before the first record. */
  sequence: number;
  hash: string;
}

/** Returns the hash that the first record of a stream's chain follows. */
export function genesisOf(stream: AuditedStream, created: string): string {
  return digestOf({ stream, created });
}

/** Returns records linked after a head, in order. */
export function link(head: Head, unlinked: readonly Unlinked[]): ChainRecord[] {
  let previous = head.hash;
  return unlinked.map((record) => {
    const hash = hashOf({ ...record, previous });
    const linked = { ...record, previous, hash };
    previous = hash;
    return linked;
  });
}

/** Returns the hash of a record: of all its fields but the hash itself, in canonical JSON. */
export function hashOf({ hash: _, ...record }: Omit<ChainRecord, 'hash'> & { hash?: string }): string {
  return digestOf(record);
}

/** Returns the head after a record. */
export function headAfter({ stream, created, sequence, hash }: Head | ChainRecord): Head {
  return { stream, created, sequence, hash };
}

/** Returns what is wrong with a record where it stands, or undefined. `before` is the head that it must follow. */
export function faultOf(
  record: ChainRecord,
  before: Head | undefined,
): { kind: 'edited' | 'reordered'; detail: string } | undefined {
  if (record._id !== recordId(record))
    return { kind: 'reordered', detail: 'The record is stored under the id of another record.' };
  if (record.hash !== hashOf(record))
    return { kind: 'edited', detail: 'The record does not match its hash.' };
  if (before === undefined || record.previous === before.hash) return undefined;
  return {
    kind: 'edited',
    detail: 'The record does not follow the one before it: one of the two was replaced.',
  };
}
