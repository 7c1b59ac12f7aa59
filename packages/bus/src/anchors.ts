import { type AuditedStream, anchorSubject, type Statement } from '@interlock/contracts';
import { signStatement } from '@interlock/keys';
import type { BusContext } from './context.ts';
import { eventHeaders, textOf } from './envelope.ts';
import { publishPlain } from './publish.ts';

const ANCHORS_AT_ONCE = 64;

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

/** Reads all checkpoints of a stream, oldest first, as signed. */
export async function readAnchors(
  { jsm }: Pick<BusContext, 'jsm'>,
  stream: AuditedStream,
): Promise<string[]> {
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
