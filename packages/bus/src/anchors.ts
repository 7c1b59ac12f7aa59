import { type AuditedStream, anchorSubject, Fault, type Statement } from '@interlock/contracts';
import { signStatement } from '@interlock/keys';
import { assertUsable } from './connection.ts';
import type { BusContext } from './context.ts';
import { eventHeaders, textOf } from './envelope.ts';
import { publishPlain } from './publish.ts';
import { isMessageAbsent } from './server-errors.ts';

const ANCHORS_AT_ONCE = 256;

/** Signs and publishes a checkpoint. Throws `dependency_unavailable`. */
export async function publishAnchor(at: BusContext, anchor: Statement<'anchor'>): Promise<void> {
  const { stream, sequence } = anchor;
  const headers = eventHeaders(
    'io.interlock.anchor.v1',
    `${stream}-${sequence}`,
    at.source,
    at.clock.nowMs(),
  );
  await publishPlain(at, anchorSubject(stream), signStatement(anchor, at.keys.sign), headers);
}

/** Reads the newest checkpoint of a stream, as signed. Throws `dependency_unavailable`. */
export async function readLastAnchor(
  { connection, jsm }: Pick<BusContext, 'connection' | 'jsm'>,
  stream: AuditedStream,
): Promise<string | undefined> {
  assertUsable(connection, 'The checkpoints cannot be read.');
  try {
    const filter = { last_by_subj: anchorSubject(stream) };
    const message = await jsm.streams.getMessage('ANCHORS', filter);
    return message === null ? undefined : textOf(message.data);
  } catch (cause) {
    if (isMessageAbsent(cause)) return undefined;
    throw new Fault('dependency_unavailable', { detail: 'The checkpoints cannot be read.', cause });
  }
}

/** Reads all checkpoints of a stream, oldest first, as signed. */
export async function readAnchors(
  { connection, jsm }: Pick<BusContext, 'connection' | 'jsm'>,
  stream: AuditedStream,
): Promise<string[]> {
  assertUsable(connection, 'The checkpoints cannot be read.');
  const { state } = await jsm.streams.info('ANCHORS');
  const anchors: string[] = [];
  for (let first = Math.max(1, state.first_seq); first <= state.last_seq; first += ANCHORS_AT_ONCE) {
    const count = Math.min(ANCHORS_AT_ONCE, state.last_seq - first + 1);
    const sequences = Array.from({ length: count }, (_, index) => first + index);
    const messages = await Promise.all(sequences.map((seq) => jsm.streams.getMessage('ANCHORS', { seq })));
    for (const message of messages)
      if (message?.subject === anchorSubject(stream)) anchors.push(textOf(message.data));
  }
  return anchors;
}
