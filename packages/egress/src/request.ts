/**
 * Outbound HTTP. One request is: compile the policy → permit the URL → connect to a checked address → call `mayStart` →
 * send. Nothing is ever sent twice; a redirect is a request of its own and passes every check again.
 */
import type { Secret } from '@interlock/keys';
import { type AgentLimits, PinnedAgent } from './agent.ts';
import type { Answer, IsEnough } from './exchange.ts';
import { EgressFault } from './fault.ts';
import { type HeaderList, type HeaderRecord, readRequestHeaders } from './headers.ts';
import { mentions } from './mentions.ts';
import { type Resolve, resolveBySystem } from './pin.ts';
import { type CompiledPolicy, compilePolicy, type EgressPolicy, permitUrl } from './policy.ts';
import { type Leg, nextLeg } from './redirect.ts';

/** What to send, where it may go, and until when. */
export type EgressRequest = {
  /** An upper-case method; CONNECT and TRACE are refused. */
  method: string;
  url: string;
  /** Names in any case; framing and routing headers are refused. */
  headers: HeaderRecord;
  body: Uint8Array | undefined;
  policy: EgressPolicy;
  /** Names of headers that carry a credential, besides Authorization and Cookie. */
  sensitiveHeaders: readonly string[];
  /** What the request carries: a redirect to a name that holds one is not looked up. */
  secrets?: readonly Secret[];
  signal: AbortSignal;
  /** Called when the connection is open and the first byte is next; on `false` nothing is sent. */
  mayStart: () => boolean;
  /** True for redirects within the origin only: one that leads elsewhere is the answer. */
  withinOrigin?: boolean;
  /** Looks at a successful answer as it comes. Where it says that what came is all that is wanted, nothing more is read. */
  isEnough?: IsEnough;
};

/** The whole answer: decoded, within its limit, not redacted. */
export type EgressResponse = {
  status: number;
  /** Lower-case names in order; a name may occur more than once. */
  headers: HeaderList;
  body: Uint8Array;
  /** The URL that answered, after redirects. */
  url: string;
  redirects: number;
};

/** Safe outbound HTTP for one process. Dispose of it to close its connections. */
export type Egress = AsyncDisposable & {
  /** @throws EgressFault only; its `sent` says whether an effect is possible. */
  request(request: EgressRequest): Promise<EgressResponse>;
};

/** Every option has a safe default. */
export type EgressOptions = {
  /** Certificate authorities (PEM) trusted in addition to the system's. */
  ca?: readonly string[];
  /** Looks names up; every address it returns is still checked. */
  resolve?: Resolve;
  limits?: Partial<AgentLimits>;
};

/** Sized for one executor: some hundred calls at once, to some dozen tools. */
const DEFAULT_LIMITS: AgentLimits = { maxPools: 128, maxConnectionsPerPool: 32, maxInFlight: 512 };

/** The methods of APIs. CONNECT opens a tunnel, TRACE echoes credentials. */
const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'QUERY',
]);

/** Opens outbound HTTP with its own connection pools. */
export function createEgress({
  ca = [],
  resolve = resolveBySystem,
  limits = {},
}: EgressOptions = {}): Egress {
  const agent = new PinnedAgent({ ca, resolve, limits: { ...DEFAULT_LIMITS, ...limits } });
  return {
    request: (request) => perform(agent, request),
    [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
  };
}

async function perform(agent: PinnedAgent, request: EgressRequest): Promise<EgressResponse> {
  const compiled = compilePolicy(request.policy);
  if (!METHODS.has(request.method)) {
    throw new EgressFault('configuration_invalid', {
      sent: 'no',
      detail: 'This HTTP method is not allowed.',
      pointer: '/method',
    });
  }
  const first: Leg = {
    method: request.method,
    url: permitUrl(request.url, compiled),
    headers: readRequestHeaders(request.headers),
    body: request.body,
  };
  const deadline = startDeadline(request.policy.timeoutMs, request.signal);
  try {
    return await follow(agent, request, { compiled, first, signal: deadline.signal });
  } finally {
    deadline.stop();
  }
}

type Start = { compiled: CompiledPolicy; first: Leg; signal: AbortSignal };

async function follow(
  agent: PinnedAgent,
  { policy, sensitiveHeaders, secrets = [], mayStart, withinOrigin = false, isEnough }: EgressRequest,
  { compiled, first, signal }: Start,
): Promise<EgressResponse> {
  let leg = first;
  for (let redirects = 0; ; redirects += 1) {
    const answer = await sendLeg(agent, { ...leg, compiled, signal, mayStart, isEnough }, redirects);
    const next = redirects < policy.redirects ? nextLeg(leg, answer, sensitiveHeaders) : undefined;
    if (next === undefined || (withinOrigin && next.url.origin !== leg.url.origin))
      return { ...answer, url: leg.url.href, redirects };
    assertNoSecret(leg.url, next.url, secrets);
    leg = { ...next, url: permitAfterSending(next.url, compiled) };
  }
}

async function sendLeg(
  agent: PinnedAgent,
  request: Parameters<PinnedAgent['send']>[0],
  redirects: number,
): Promise<Answer> {
  const headers: HeaderList = [...request.headers, ['accept-encoding', 'identity']];
  try {
    return await agent.send({ ...request, headers });
  } catch (cause) {
    throw redirects > 0 && cause instanceof EgressFault ? cause.afterSending() : cause;
  }
}

/** A name is told to resolvers, and another origin to its owner. A URL of the same origin may hold what it got. */
function assertNoSecret(from: URL, to: URL, secrets: readonly Secret[]): void {
  if (to.origin === from.origin || !mentions(to.href, secrets)) return;
  throw new EgressFault('egress_destination_refused', {
    sent: 'maybe',
    detail: 'The answer redirects to a URL that has a credential in it. It was not looked up.',
  });
}

function permitAfterSending(url: URL, compiled: CompiledPolicy): URL {
  try {
    return permitUrl(url.href, compiled);
  } catch (cause) {
    throw cause instanceof EgressFault ? cause.afterSending() : cause;
  }
}

/** One deadline for all legs. The reason of its signal is the fault with which the request ends. */
function startDeadline(timeoutMs: number, outer: AbortSignal): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController();
  const onTimeout = () =>
    controller.abort(
      new EgressFault('egress_timeout', { sent: 'no', detail: 'The destination did not answer in time.' }),
    );
  const onAbort = () =>
    controller.abort(
      new EgressFault('egress_expired', {
        sent: 'no',
        detail: 'The request was cancelled.',
        cause: outer.reason,
      }),
    );
  const timer = setTimeout(onTimeout, timeoutMs);
  outer.addEventListener('abort', onAbort, { once: true });
  if (outer.aborted) onAbort();
  const stop = () => {
    clearTimeout(timer);
    outer.removeEventListener('abort', onAbort);
  };
  return { signal: controller.signal, stop };
}
