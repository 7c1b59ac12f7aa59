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
const MEDIA_TYPE = /^[\x20-\x7e]+$/;
const SUCCESS_MIN = 200;
const SUCCESS_MAX = 299;

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
        headers: headersWith(request, toolRequest.identity, parts),
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
  const body = await cleanBody(response, secrets);
  const succeeded = response.status >= SUCCESS_MIN && response.status <= SUCCESS_MAX;
  return { outcome: succeeded ? 'succeeded' : 'failed', upstreamStatus: response.status, body };
}

/** Returns a request's headers with identity, signature and trace. The signature covers what is sent, to the byte. */
export function headersWith(
  request: HttpRequest,
  identity: Identity,
  { signingKey, nowMs }: Pick<HttpParts, 'signingKey' | 'nowMs'>,
): Record<string, string> {
  const headers = { ...request.headers };
  const signed = signRequest({ ...request, identity, key: signingKey, created: new Date(nowMs()) });
  for (const [name, value] of Object.entries({ ...signed, ...traceHeaders() }))
    addHeader(headers, name, value);
  return headers;
}

async function cleanBody({ headers, body }: EgressResponse, secrets: readonly Secret[]): Promise<Body> {
  const clean = await redactBody(body, secrets);
  const said = headerValue(headers, 'content-type') ?? UNTYPED;
  const mediaType = MEDIA_TYPE.test(said) ? cleanText(said, secrets) : UNTYPED;
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
