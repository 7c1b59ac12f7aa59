/**
 * Streamable HTTP through egress. The MCP client knows one `fetch` per connection; which call a request belongs to,
 * and so its credential and its guard, comes from the asynchronous context it is made in.
 *
 * F1. A credential goes to the origin it was leased for and nowhere else.
 * F2. `tools/call` passes the guard, once per call. A second one is refused, unless the first is proved to have done nothing.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Fault } from '@interlock/contracts';
import { type EgressPolicy, type EgressResponse, headerValue } from '@interlock/egress';
import type { Secret } from '@interlock/keys';
import { type McpRequest, mcpFetch } from '@interlock/mcp';
import { type HttpParts, headersWith, type ToolRequest } from './http.ts';
import { injectLease } from './http-request.ts';

/** The call for which requests are made, and what is learned on the way. */
export interface McpExchange {
  toolRequest: ToolRequest;
  /** True once `tools/call` was given to egress. */
  called: boolean;
  /** Status of the answer to `tools/call`, and what it says of when to repeat it. */
  status: number | undefined;
  retryAfter: string | undefined;
  /** What must be kept out of the answer. */
  secrets: readonly Secret[];
}

/** Runs work so that the requests it makes belong to an exchange. */
export function withExchange<T>(exchange: McpExchange, work: () => Promise<T>): Promise<T> {
  return exchanges.run(exchange, work);
}

const exchanges = new AsyncLocalStorage<McpExchange>();

/** Makes the `fetch` of one connection, under its egress policy and with its fixed headers. */
export function createMcpFetch(
  policy: EgressPolicy,
  fixed: Readonly<Record<string, string>>,
  parts: HttpParts,
) {
  return mcpFetch(fixed, async (request, signal) => {
    const exchange = exchanges.getStore();
    if (exchange === undefined)
      throw new Fault('internal', { detail: 'An MCP client made a request outside of any call.' });
    return await send(request, exchange, { policy, parts, signal });
  });
}

interface Sending {
  policy: EgressPolicy;
  parts: HttpParts;
  signal: AbortSignal | undefined;
}

async function send(
  { message, ...plain }: McpRequest,
  exchange: McpExchange,
  sending: Sending,
): Promise<EgressResponse> {
  const { toolRequest } = exchange;
  const isCall = message === 'tools/call';
  // F2
  if (isCall && exchange.called) throw new Fault('egress_broken', { detail: 'A call is not sent twice.' });
  if (isCall) exchange.called = true;
  const injected =
    toolRequest.lease === undefined
      ? undefined
      : await injectLease(plain, toolRequest.lease, sending.parts.nowMs());
  const request = injected?.request ?? plain;
  exchange.secrets = injected?.secrets ?? exchange.secrets;
  const answer = await sending.parts.egress.request({
    ...request,
    headers: headersWith(request, toolRequest.identity, sending.parts),
    policy: sending.policy,
    sensitiveHeaders: injected?.sensitiveHeaders ?? [],
    secrets: exchange.secrets,
    signal: AbortSignal.any([...(sending.signal === undefined ? [] : [sending.signal]), toolRequest.signal]),
    mayStart: () => !isCall || toolRequest.guard.maySend(),
  });
  if (isCall) {
    exchange.status = answer.status;
    exchange.retryAfter = headerValue(answer.headers, 'retry-after');
  }
  return answer;
}
