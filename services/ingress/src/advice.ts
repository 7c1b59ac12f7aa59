/** What an answer about a call says to its agent: what happened, whether it may have happened, and what to do next. */
import { type CallOutcome, faults, type Question, type SettledCall } from '@interlock/contracts';

/** Words for an agent: a model acts on them. */
export interface Advice {
  detail: string;
  next: string;
}

const ASK = 'Ask for the outcome at /v1/calls/{call}?wait=30.';
/** Under the same key the stored outcome is answered again. */
const NEW_CALL = 'a new call, with a new Idempotency-Key if it had one';
const MAY_HAVE = 'so the call may have been carried out.';
const REDIRECT = 300;
const CLIENT_ERROR = 400;
const SERVER_ERROR = 500;
/** Statuses of a server that could not answer now: Request Timeout, Too Early, Too Many Requests, Service Unavailable. */
const LATER: readonly number[] = [408, 425, 429, 503];

/** Returns why a person is asked, who may answer, until when, and how to hear of it. */
export function adviceOnHeld({ call, roles, reasons, separateDuties, user, expiresAt }: Held): Advice {
  const who = `one with the role ${roles.join(' or ')}${separateDuties ? `, and not ${user}` : ''}`;
  const why = reasons.length === 0 ? '' : ` Why: ${reasons.map(({ text }) => text).join(' ')}`;
  const until = new Date(expiresAt).toISOString();
  return {
    detail: `A person must approve this call: ${who}, until ${until}; after that it is refused.${why}`,
    next: about(call, `${ASK} Do not make it again: it is carried out once a person approves it.`),
  };
}

type Held = Pick<Question, 'call' | 'roles' | 'reasons' | 'separateDuties' | 'user' | 'expiresAt'>;

/** Returns what is said of a call whose outcome is not stored yet. */
export function adviceOnRunning(call: string): Advice {
  return {
    detail: 'The call was accepted, and its outcome is not stored yet.',
    next: about(call, `${ASK} Do not make it again.`),
  };
}

/** Returns what is said of an outcome; undefined of a success with its result. */
export function adviceOnOutcome(
  settled: SettledCall,
  shown: Pick<CallOutcome, 'result'>,
): Advice | undefined {
  const hasResult = shown.result !== undefined;
  switch (settled.outcome) {
    case 'succeeded':
      return settled.result === undefined || hasResult ? undefined : withoutResult;
    case 'failed':
      return adviceOnFailed(settled, hasResult);
    case 'unknown':
      return adviceOnUnknown(settled);
    default:
      return settled.outcome satisfies never;
  }
}

const withoutResult: Advice = {
  detail: 'The call was carried out. Its result did not arrive here whole and was not kept.',
  next: 'Do not make the call again for its result unless it may happen twice. Under an Idempotency-Key results are kept.',
};

function adviceOnFailed(
  { code, upstreamStatus: status, upstreamHeaders, result }: SettledCall,
  hasResult: boolean,
): Advice {
  if (status === undefined && result === undefined) return adviceOnUnsent(code);
  const answer = status === undefined ? 'The tool answered that it failed' : `The tool answered ${status}`;
  const where = hasResult ? '; the result has what it said.' : ', and what it said was not kept.';
  if (status !== undefined && LATER.includes(status))
    return {
      detail: `${answer}${where} It did not take the call now.`,
      next: `${laterText(upstreamHeaders?.['retry-after'])}, make ${NEW_CALL}.`,
    };
  if (status !== undefined && status >= REDIRECT && status < CLIENT_ERROR)
    return {
      detail: `${answer}: what it has is elsewhere, and the tool does not go there.`,
      next: 'The mistake is not yours to correct: tell the operator of Interlock where the tool pointed.',
    };
  if (status !== undefined && status >= CLIENT_ERROR && status < SERVER_ERROR)
    return {
      detail: `${answer}${where} It refused the call.`,
      next: `Correct the call by what the tool said, and make ${NEW_CALL}.`,
    };
  return {
    detail: `${answer}${where} It may have done a part of the call.`,
    next: `Find out at the tool what was done before you make ${NEW_CALL}.`,
  };
}

/** Retry-After has seconds or a date (RFC 9110 §10.2.3). */
function laterText(retryAfter: string | undefined): string {
  if (retryAfter !== undefined && /^\d{1,9}$/.test(retryAfter)) return `After ${Number(retryAfter)} seconds`;
  const at = retryAfter === undefined ? Number.NaN : Date.parse(retryAfter);
  return Number.isNaN(at) ? 'Later' : `After ${new Date(at).toISOString()}`;
}

/** Nothing was sent, for the reason that the code says. */
function adviceOnUnsent(code: SettledCall['code']): Advice {
  const { text, next, retryable } = faults[code ?? 'internal'];
  return {
    detail: /Nothing was/.test(text) ? text : `${text} Nothing was sent, so nothing was done.`,
    next: retryable ? `After a few seconds, make ${NEW_CALL}.` : next,
  };
}

function adviceOnUnknown({ code }: SettledCall): Advice {
  const why =
    code === undefined || code === 'outcome_unknown'
      ? 'The request was sent, or may have been, and no answer is known'
      : `${faults[code].text.replace(/\.$/, '')}. The request was sent, or may have been`;
  return {
    detail: `${why}, ${MAY_HAVE}`,
    next: `Find out at the tool whether it was carried out before you make ${NEW_CALL}: that could do it a second time.`,
  };
}

function about(call: string, text: string): string {
  return text.replace('{call}', call);
}
