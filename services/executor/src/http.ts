/**
 * HTTP tools: one signed request with the identity of the call and, where the tool has one, its credential.
 * Nothing is sent twice here. Egress bounds what comes back, and it is redacted before anybody else sees it.
 */
import type { HttpTarget, Identity } from '@interlock/contracts';
import {
  cleanText,
  type Egress,
  type EgressResponse,
  headerValue,
  redactBody,
  signRequest,
} from '@interlock/egress';
import type { Secret, SigningKey } from '@interlock/keys';
import { addHeader, type HttpRequest } from '@interlock/request';
import { inUtf8 } from './charset.ts';
import { assertFits, type Body, type Effect } from './effect.ts';
import { injectLease, policyOf } from './http-request.ts';
import type { Lease } from './lease.ts';
import type { SendGuard } from './send-guard.ts';
import { inSpan, traceHeaders } from './trace.ts';

/** What an outgoing request needs besides itself. */
export interface HttpParts {
  egress: Pick<Egress, 'request'>;
  signingKey: SigningKey;
  nowMs: () => number;
}

/** For whom a tool is called, and within which limits. */
export interface ToolRequest {
  identity: Identity;
  tool: string;
  guard: SendGuard;
  lease: Lease | undefined;
  signal: AbortSignal;
}

const UNTYPED = 'application/octet-stream';
/** Bytes outside of ASCII have no meaning there, and could spell a secret. */
const VISIBLE = /^[\x20-\x7e]+$/;
const SUCCESS_MIN = 200;
const SUCCESS_MAX = 299;
const REDIRECT_MIN = 300;
const REDIRECT_MAX = 399;
const NOT_MODIFIED = 304;
/** A longer header is shown up to here. */
const HEADER_LENGTH = 2_048;
const CUT = ' [cut]';
/** GitHub, among others, refuses requests without one. */
const USER_AGENT = 'interlock';

/** Carries out an HTTP tool. Throws Faults; `toolRequest.guard.mayHaveSent` says whether the request may have been sent. */
export async function performHttp(
  target: HttpTarget,
  plain: HttpRequest,
  toolRequest: ToolRequest,
  parts: HttpParts,
): Promise<Effect> {
  const { request, secrets, sensitiveHeaders } =
    toolRequest.lease === undefined
      ? { request: plain, secrets: [], sensitiveHeaders: [] }
      : await injectLease(plain, toolRequest.lease, parts.nowMs());
  const policy = policyOf(target);
  const response = await inSpan(
    request.method,
    { kind: 'client', attributes: attributesOf(request, toolRequest) },
    async (span) => {
      const answer = await parts.egress.request({
        ...request,
        headers: headersWith(request, target.identity ? toolRequest.identity : undefined, parts),
        policy: {
          ...policy,
          timeoutMs: Math.max(1, Math.floor(Math.min(policy.timeoutMs, toolRequest.guard.leftMs()))),
        },
        sensitiveHeaders,
        secrets,
        signal: toolRequest.signal,
        mayStart: () => toolRequest.guard.maySend(),
      });
      span.setAttribute('http.response.status_code', answer.status);
      return answer;
    },
  );
  const { headers, redactions } = shownHeaders(response, target.responseHeaders, secrets);
  const body = await cleanBody(response, secrets);
  const { status } = response;
  // That nothing changed since the agent read it is what it asked for.
  const succeeded = (status >= SUCCESS_MIN && status <= SUCCESS_MAX) || status === NOT_MODIFIED;
  return {
    outcome: succeeded ? 'succeeded' : 'failed',
    upstreamStatus: status,
    ...(Object.keys(headers).length === 0 ? {} : { upstreamHeaders: headers }),
    body: { ...body, redactions: body.redactions + redactions },
  };
}

/** Returns the headers that a tool shows, those that tell when or where to go on among them. */
function shownHeaders(
  { status, headers }: Pick<EgressResponse, 'status' | 'headers'>,
  listed: readonly string[],
  secrets: readonly Secret[],
): { headers: Record<string, string>; redactions: number } {
  const isRedirect = status >= REDIRECT_MIN && status <= REDIRECT_MAX;
  const names = new Set([
    ...listed.map((name) => name.toLowerCase()),
    'retry-after',
    ...(isRedirect ? ['location'] : []),
  ]);
  const shown: Record<string, string> = {};
  let redactions = 0;
  for (const name of names) {
    const values = headers.filter(([other]) => other === name).map(([, value]) => value);
    const said = values.join(', ');
    if (values.length === 0 || !VISIBLE.test(said)) continue;
    const clean = cleanText(said, secrets);
    if (clean !== said) redactions += 1;
    shown[name] =
      clean.length > HEADER_LENGTH ? `${clean.slice(0, HEADER_LENGTH - CUT.length)}${CUT}` : clean;
  }
  return { headers: shown, redactions };
}

/** Returns a request's headers with identity, signature, trace and a user agent. The signature covers what is sent, to the byte. */
export function headersWith(
  request: HttpRequest,
  identity: Identity | undefined,
  { signingKey, nowMs }: Pick<HttpParts, 'signingKey' | 'nowMs'>,
): Record<string, string> {
  const headers = { ...request.headers };
  if (!Object.keys(headers).some((name) => name.toLowerCase() === 'user-agent'))
    headers['user-agent'] = USER_AGENT;
  const signed =
    identity === undefined
      ? {}
      : signRequest({ ...request, identity, key: signingKey, created: new Date(nowMs()) });
  for (const [name, value] of Object.entries({ ...signed, ...traceHeaders() }))
    addHeader(headers, name, value);
  return headers;
}

async function cleanBody({ headers, body }: EgressResponse, secrets: readonly Secret[]): Promise<Body> {
  const { bytes, mediaType: said } = inUtf8(body, headerValue(headers, 'content-type') ?? UNTYPED);
  const clean = await redactBody(bytes, secrets);
  const mediaType = VISIBLE.test(said) ? cleanText(said, secrets) : UNTYPED;
  assertFits(clean.body);
  return {
    bytes: clean.body,
    mediaType,
    redactions: clean.redactions + (mediaType === said ? 0 : 1),
  };
}

function attributesOf({ method, url }: HttpRequest, { identity, tool }: ToolRequest) {
  const { hostname, port, protocol } = new URL(url);
  return {
    'interlock.call': identity.call,
    'gen_ai.tool.name': tool,
    'http.request.method': method,
    'server.address': hostname,
    'server.port': port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
  };
}
