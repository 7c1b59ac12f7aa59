import {
  type CallOutcome,
  type CallPending,
  Fault,
  type FaultCode,
  problemOf,
  type Question,
  type Refused,
  type Settled,
} from '@interlock/contracts';

/** What is sent, but for the header lines every answer has. */
export interface Answer {
  status: number;
  mediaType: 'application/json' | 'application/problem+json';
  body: object;
  headers: Record<string, string>;
}

/** Codes of the HTTP framework's own refusals, and ours. */
const frameworkCodes: Readonly<Record<string, FaultCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'content_type_unsupported',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'header_invalid',
  FST_ERR_BAD_URL: 'id_invalid',
  FST_ERR_MAX_PARAM_LENGTH: 'id_invalid',
};

/** Returns what was thrown as a fault. What nobody foresaw is `internal`, and says nothing of itself. */
export function faultOf(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown;
  if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string') {
    const code = frameworkCodes[thrown.code];
    if (code !== undefined) return new Fault(code, { cause: thrown });
  }
  return new Fault('internal', { cause: thrown });
}

type Refusal = Pick<Refused, 'code' | 'detail'> & {
  rule?: string | undefined;
  pointer?: string | undefined;
  retryAfterMs?: number | undefined;
};

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
 * Answers a request under an Idempotency-Key that could not be looked up. It did nothing itself, but an earlier one
 * under the same key may have: so this is 504, and never 503.
 */
export function answerDoubt(): Answer {
  const detail =
    'This request did nothing; what an earlier one under its Idempotency-Key did cannot be read now.';
  const answer = answerRefusal({ code: 'outcome_unknown', detail });
  const next = 'Send the same request again with the same Idempotency-Key.';
  return { ...answer, body: { ...answer.body, next } };
}

/** Answers that the call is carried out, or may be, with its result where it is known. */
export function answerOutcome(
  settled: Settled,
  { result, replayed }: { result: Pick<CallOutcome, 'result' | 'mediaType'>; replayed: boolean },
): Answer {
  const body: CallOutcome = {
    call: settled.call,
    outcome: settled.outcome,
    ...result,
    ...(settled.upstreamStatus === undefined ? {} : { upstreamStatus: settled.upstreamStatus }),
    ...(settled.code === undefined ? {} : { code: settled.code }),
    ...(replayed ? { replayed } : {}),
  };
  return { status: 200, mediaType: 'application/json', body, headers: callHeader(settled.call) };
}

/** Answers that a person is asked. */
export function answerHeld({ call, expiresAt }: Pick<Question, 'call' | 'expiresAt'>): Answer {
  return answerPending({ call, state: 'held', expiresAt });
}

/** Answers that the call is under way. */
export function answerRunning(call: string): Answer {
  return answerPending({ call, state: 'running' });
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

/** Some statuses are only whole with a header line. A 429 names its limit where the refusal does. */
function statusHeaders(status: number, { rule, retryAfterMs }: Refusal): Record<string, string> {
  const headers: Record<string, string> = {};
  const seconds = retryAfterMs === undefined ? undefined : Math.max(1, Math.ceil(retryAfterMs / 1_000));
  if (seconds !== undefined) headers['retry-after'] = String(seconds);
  if (status === 401) headers['www-authenticate'] = 'Bearer';
  if (status === 429)
    headers['ratelimit'] = `"${limitName(rule)}";r=0${seconds === undefined ? '' : `;t=${seconds}`}`;
  return headers;
}

/** A name inside a quoted string of RFC 9651. */
function limitName(rule: string | undefined): string {
  return (rule ?? 'calls').replace(/[^A-Za-z0-9._-]/g, '_');
}
