import {
  type AuditedStream,
  type Control,
  controlSubject,
  type PurgedStream,
  type Statement,
  type StreamName,
} from '@interlock/contracts';
import { publishAnchor, readAnchors, readLastAnchor } from './anchors.ts';
import type { BusContext } from './context.ts';
import { eventHeaders } from './envelope.ts';
import { publishPlain } from './publish.ts';
import {
  followStream,
  handledUpTo,
  purgeBelow,
  readSequence,
  type StreamRecord,
  type StreamState,
  streamState,
} from './read-stream.ts';

/** The durable streams as the auditor reads and checks them, and what is recorded beside the calls. */
export interface AuditStreams {
  /** Publishes a management operation on CONTROL. Throws `dependency_unavailable`. */
  control(operation: Control): Promise<void>;
  /** Reads a stream in order, in batches; a batch is acknowledged when `store` returns, and read again when it throws. */
  follow(stream: AuditedStream, store: (batch: StreamRecord[]) => Promise<void>): AsyncDisposable;
  /** Returns how full a stream is and which sequences it holds. */
  streamState(stream: StreamName): Promise<StreamState>;
  /** Reads one message by sequence; undefined when the stream holds it no longer. */
  readSequence(stream: AuditedStream, sequence: number): Promise<StreamRecord | undefined>;
  /** Removes every message of a stream below a sequence. Only the auditor may. */
  purgeBelow(stream: PurgedStream, sequence: number): Promise<void>;
  /** Returns up to which sequence the services have handled what waits for them among the approvals. Only the auditor may. */
  handledUpTo(): Promise<number>;
  /** Signs and publishes a checkpoint. Only the auditor may. */
  anchor(anchor: Statement<'anchor'>): Promise<void>;
  /** Reads the newest checkpoint of a stream, as signed. */
  lastAnchor(stream: AuditedStream): Promise<string | undefined>;
  /** Reads all checkpoints of a stream, oldest first, as signed. */
  anchors(stream: AuditedStream): Promise<string[]>;
}

/** Opens the audit streams over a connection. */
export function openAuditStreams(at: BusContext): AuditStreams {
  return {
    control: (operation) => publishControl(at, operation),
    follow: (stream, store) => followStream(at, stream, store),
    streamState: (stream) => streamState(at, stream),
    readSequence: (stream, sequence) => readSequence(at, stream, sequence),
    purgeBelow: (stream, sequence) => purgeBelow(at, stream, sequence),
    handledUpTo: () => handledUpTo(at),
    anchor: (anchor) => publishAnchor(at, anchor),
    lastAnchor: (stream) => readLastAnchor(at, stream),
    anchors: (stream) => readAnchors(at, stream),
  };
}

async function publishControl(at: BusContext, operation: Control): Promise<void> {
  const { kind, verb, tenant, name } = operation;
  const headers = eventHeaders(
    `io.interlock.control.${kind}.${verb}.v1`,
    `${name}-${operation.at}`,
    at.source,
    at.clock.nowMs(),
  );
  await publishPlain(at, controlSubject(kind, verb, tenant), JSON.stringify(operation), headers);
}
