import { Fault, limits, type ShownHeaders } from '@interlock/contracts';
import { cleanText, redactBody } from '@interlock/egress';
import { SessionLost, type ToolAnswer } from '@interlock/mcp';
import { assertFits, type Body, type Effect } from './effect.ts';
import type { ToolRequest } from './http.ts';
import type { McpExchange } from './mcp-fetch.ts';
import { exchangeFor, type McpPool, type McpTarget, type PinnedMcp } from './mcp-pool.ts';
import { inSpan, traceHeaders } from './trace.ts';

const JSON_TYPE = 'application/json';
const ERROR_STATUS_MIN = 400;
/** Seconds or a date (RFC 9110 §10.2.3). */
const RETRY_AFTER = /^[\x20-\x7e]{1,64}$/;

/**
 * Calls a tool of an upstream MCP server. Throws Faults; `toolRequest.guard.mayHaveSent` says whether the call may have been
 * sent. A result is what the server wrote, an error of the server `{error}`.
 */
export async function performMcp(
  {
    target,
    credentials,
    args,
  }: { target: McpTarget; credentials: readonly string[]; args: Readonly<Record<string, unknown>> },
  toolRequest: ToolRequest,
  pool: McpPool,
): Promise<Effect> {
  const exchange = exchangeFor(toolRequest);
  const attributes = {
    'interlock.call': toolRequest.identity.call,
    'gen_ai.tool.name': toolRequest.tool,
    'mcp.method.name': 'tools/call',
  };
  const attempt = () =>
    pool.use({ target, credentials }, exchange, async (pinned) => {
      try {
        const answer = await inSpan(`tools/call ${target.name}`, { kind: 'client', attributes }, () =>
          send(pinned, { target, args, toolRequest }),
        );
        return await effectOf(answer, exchange, maxBytesOf(target));
      } catch (cause) {
        // The server answered the request itself with an error: that is an answer.
        if (cause instanceof SessionLost || !refused(exchange)) throw cause;
        return { outcome: 'failed' as const, code: 'upstream_failed' as const, ...statusOf(exchange) };
      }
    });
  for (let isAgain = false; ; isAgain = true) {
    try {
      return await attempt();
    } catch (cause) {
      if (!(cause instanceof SessionLost)) throw cause;
      // The server did nothing, so the call is made in a new session, once.
      toolRequest.guard.didNothing();
      if (isAgain) throw cause;
      exchange.called = false;
      exchange.status = undefined;
    }
  }
}

function refused({ status }: McpExchange): boolean {
  return status !== undefined && status >= ERROR_STATUS_MIN;
}

/** What an answer that is an error by its status says beside its body. */
function statusOf(exchange: McpExchange): { upstreamStatus?: number; upstreamHeaders?: ShownHeaders } {
  const { status, retryAfter, secrets } = exchange;
  if (status === undefined || !refused(exchange)) return {};
  const isShown = retryAfter !== undefined && RETRY_AFTER.test(retryAfter);
  return {
    upstreamStatus: status,
    ...(isShown ? { upstreamHeaders: { 'retry-after': cleanText(retryAfter, secrets) } } : {}),
  };
}

interface Sending {
  target: McpTarget;
  args: Readonly<Record<string, unknown>>;
  toolRequest: ToolRequest;
}

async function send(
  { connection, definition }: PinnedMcp,
  { target, args, toolRequest }: Sending,
): Promise<ToolAnswer> {
  const { guard, signal } = toolRequest;
  const timeoutMs = Math.max(1, Math.floor(Math.min(target.timeoutMs, guard.leftMs())));
  // Over HTTP the guard is asked once more, when the connection stands and the first byte is next.
  if (target.connection.transport === 'stdio' && !guard.maySend()) throw new Fault('egress_expired');
  return await connection.call({ definition, arguments: args, trace: traceHeaders(), timeoutMs, signal });
}

async function effectOf(answer: ToolAnswer, exchange: McpExchange, maxBytes: number): Promise<Effect> {
  const body = await cleanBody(answer.body, exchange.secrets, maxBytes);
  if (answer.kind === 'error')
    return { outcome: 'failed', code: 'upstream_failed', ...statusOf(exchange), body };
  return { outcome: answer.isError ? 'failed' : 'succeeded', body };
}

async function cleanBody(text: string, secrets: McpExchange['secrets'], maxBytes: number): Promise<Body> {
  const { body: bytes, redactions } = await redactBody(Buffer.from(text), secrets);
  assertFits(bytes, maxBytes);
  return { bytes, mediaType: JSON_TYPE, redactions };
}

function maxBytesOf({ connection }: McpTarget): number {
  return connection.transport === 'http' ? connection.egress.maxResponseBytes : limits.resultBytes;
}
