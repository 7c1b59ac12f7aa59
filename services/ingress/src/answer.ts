import {
  type CallOutcome,
  type CallPending,
  Fault,
  type FaultCode,
  type Problem,
  problemOf,
  type Question,
  type Refusal,
  retryAfterOf,
  type SettledCall,
} from '@interlock/contracts';
import { adviceOnHeld, adviceOnOutcome, adviceOnRunning } from './advice.ts';

/** An answer, without the headers that every answer has. */
export type Answer = { status: number; headers: Record<string, string> } & (
  | { mediaType: 'application/json'; body: object }
  | { mediaType: 'application/problem+json'; body: Problem }
);

/** The fault for each error code of the HTTP framework. */
const frameworkCodes: Readonly<Record<string, FaultCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'content_type_unsupported',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'header_invalid',
  FST_ERR_BAD_URL: 'id_invalid',
  FST_ERR_MAX_PARAM_LENGTH: 'id_invalid',
};

/** Returns what was thrown as a fault. An unexpected error is `internal`, and its message is not answered. */
export function faultOf(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown;
  if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string') {
    const code = frameworkCodes[thrown.code];
    if (code !== undefined) return new Fault(code, { cause: thrown });
  }
  return new Fault('internal', { cause: thrown });
}

/** Answers a fault or a stored refusal, about a call where there is one. */
export function answerRefusal(refusal: Refusal, call?: string): Answer {
  const body = problemOf(refusal, call);
  return {
    status: body.status,
    mediaType: 'application/problem+json',
    body,
    headers: { ...callHeader(call), ...statusHeaders(body.status, refusal) },
  };
}

/**
 * Answers a request under an Idempotency-Key whose call could not be read. The request did nothing itself, but an
 * earlier one under the same key may have: so this is 504, and never 503.
 */
export function answerDoubt(): Answer {
  const detail =
    'This request did nothing. What an earlier request under its Idempotency-Key did cannot be read now.';
  const next = 'Send the same request again after a few seconds, with the same Idempotency-Key.';
  return answerRefusal({ code: 'outcome_unknown', detail, next });
}

/** Answers a look-up that could not read what became of a call: 504, because 503 would say that nothing was done. */
export function answerUnread(call: string | undefined): Answer {
  const detail = 'What became of the call cannot be read now. That does not say whether it was carried out.';
  const next = 'Ask again at /v1/calls/{call} after a few seconds.';
  return answerRefusal({ code: 'outcome_unknown', detail, next }, call);
}

/** Answers that the call was carried out, or may have been, with its result where it is known. */
export function answerOutcome(
  settled: SettledCall,
  { result, replayed }: { result: Pick<CallOutcome, 'result' | 'mediaType'>; replayed: boolean },
): Answer {
  const body: CallOutcome = {
    call: settled.call,
    outcome: settled.outcome,
    ...result,
    ...(settled.upstreamStatus === undefined ? {} : { upstreamStatus: settled.upstreamStatus }),
    ...(settled.upstreamHeaders === undefined ? {} : { upstreamHeaders: settled.upstreamHeaders }),
    ...(settled.code === undefined ? {} : { code: settled.code }),
    ...adviceOnOutcome(settled, result),
    ...(replayed ? { replayed } : {}),
  };
  return { status: 200, mediaType: 'application/json', body, headers: callHeader(settled.call) };
}

/** Answers that a person is asked. */
export function answerHeld(question: Question): Answer {
  const { call, expiresAt } = question;
  return answerPending({ call, state: 'held', expiresAt, ...adviceOnHeld(question) });
}

/** Answers that the call is still running. */
export function answerRunning(call: string): Answer {
  return answerPending({ call, state: 'running', ...adviceOnRunning(call) });
}

function answerPending(body: CallPending): Answer {
  return {
    status: 202,
    mediaType: 'application/json',
    body,
    headers: { ...callHeader(body.call), location: `/v1/calls/${body.call}` },
  };
}

function callHeader(call: string | undefined): Record<string, string> {
  return call === undefined ? {} : { 'interlock-call': call };
}

/** Some statuses need a header. A 429 names its limit where the refusal does. */
function statusHeaders(status: number, refusal: Refusal): Record<string, string> {
  const headers: Record<string, string> = {};
  const seconds = retryAfterOf(refusal);
  if (seconds !== undefined) headers['retry-after'] = String(seconds);
  if (status === 401) headers['www-authenticate'] = 'Bearer';
  if (status === 429)
    headers['ratelimit'] = `"${limitName(refusal.rule)}";r=0${seconds === undefined ? '' : `;t=${seconds}`}`;
  return headers;
}

/** A name that may stand in a quoted string of RFC 9651. */
function limitName(rule: string | undefined): string {
  return (rule ?? 'calls').replace(/[^A-Za-z0-9._-]/g, '_');
}
