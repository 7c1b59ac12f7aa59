/** What an error of the server means. The codes are nats.js's where it exports them. */
import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';

/** Codes of nats-server (`server/errors.json`) that nats.js does not export: JSStreamStoreFailedF and JSStorageResourcesExceededErr. */
const STORE_FAILED = 10077;
const STORAGE_EXCEEDED = 10047;

const ABSENT: readonly number[] = [
  JetStreamApiCodes.NoMessageFound,
  JetStreamApiCodes.StreamNotFound,
  JetStreamApiCodes.ConsumerNotFound,
];
const WRONG_LAST_SEQUENCE: readonly number[] = [
  JetStreamApiCodes.StreamWrongLastSequence,
  JetStreamApiCodes.StreamWrongLastSequenceUnknown,
];

/** True when the server has no such message. */
export function isMessageAbsent(error: unknown): boolean {
  return codeOf(error) === JetStreamApiCodes.NoMessageFound;
}

/** True when the server has no such message, stream or consumer. */
export function isAbsent(error: unknown): boolean {
  return ABSENT.includes(codeOf(error));
}

/** True when another message was stored first under the expected sequence. */
export function isWrongSequence(error: unknown): boolean {
  return WRONG_LAST_SEQUENCE.includes(codeOf(error));
}

/** True when the subject holds as many messages as its stream keeps for one subject. */
export function isSubjectFull(error: unknown): boolean {
  return codeOf(error) === STORE_FAILED && /per subject/.test(String(error));
}

/** True when the stream or the server's storage takes nothing more. */
export function isStreamFull(error: unknown): boolean {
  return !isSubjectFull(error) && [STORE_FAILED, STORAGE_EXCEEDED].includes(codeOf(error));
}

function codeOf(error: unknown): number {
  return error instanceof JetStreamApiError ? error.code : 0;
}
