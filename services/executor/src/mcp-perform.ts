import { Fault, limits } from '@interlock/contracts';
import { redactBody } from '@interlock/egress';
import type { McpAnswer } from '@interlock/mcp';
import { assertFits, type Body, type Effect } from './effect.ts';
import type { ToolRequest } from './http.ts';
import type { McpExchange } from './mcp-fetch.ts';
import { exchangeFor, type McpPool, type McpTarget, type PinnedMcp } from './mcp-pool.ts';
import { inSpan, traceHeaders } from './trace.ts';

const JSON_TYPE = 'application/json';
const ERROR_STATUS_MIN = 400;

/**
 * Calls a tool of an upstream MCP server. Throws Faults; `toolRequest.guard.mayHaveSent` says whether the call may have been
 * sent. A result is what the server wrote, an error of the server `{error: {code, message}}`.
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
  return await pool.use({ target, credentials }, exchange, async (pinned) => {
    try {
      const answer = await inSpan(`tools/call ${target.name}`, { kind: 'client', attributes }, () =>
        send(pinned, { target, args, toolRequest }),
      );
      return await effectOf(answer, exchange, maxBytesOf(target));
    } catch (cause) {
      // The server answered the request itself with an error: that is an answer.
      if (exchange.status === undefined || exchange.status < ERROR_STATUS_MIN) throw cause;
      return { outcome: 'failed', code: 'upstream_failed', upstreamStatus: exchange.status };
    }
  });
}

interface Sending {
  target: McpTarget;
  args: Readonly<Record<string, unknown>>;
  toolRequest: ToolRequest;
}

async function send(
  { connection, definition }: PinnedMcp,
  { target, args, toolRequest }: Sending,
): Promise<McpAnswer> {
  const { guard, signal } = toolRequest;
  const timeoutMs = Math.max(1, Math.floor(Math.min(target.timeoutMs, guard.leftMs())));
  // Over HTTP the guard is asked once more, when the connection stands and the first byte is next.
  if (target.connection.transport === 'stdio' && !guard.maySend()) throw new Fault('egress_expired');
  return await connection.call({ definition, arguments: args, trace: traceHeaders(), timeoutMs, signal });
}

async function effectOf(answer: McpAnswer, { secrets }: McpExchange, maxBytes: number): Promise<Effect> {
  switch (answer.kind) {
    case 'result': {
      const body = await cleanBody(answer.body, secrets, maxBytes);
      return { outcome: answer.isError ? 'failed' : 'succeeded', body };
    }
    case 'error': {
      const { code, message } = answer;
      const body = await cleanBody(JSON.stringify({ error: { code, message } }), secrets, maxBytes);
      return { outcome: 'failed', code: 'upstream_failed', body };
    }
    default:
      return answer satisfies never;
  }
}

async function cleanBody(text: string, secrets: McpExchange['secrets'], maxBytes: number): Promise<Body> {
  const { body: bytes, redactions } = await redactBody(Buffer.from(text), secrets);
  assertFits(bytes, maxBytes);
  return { bytes, mediaType: JSON_TYPE, redactions };
}

function maxBytesOf({ connection }: McpTarget): number {
  return connection.transport === 'http' ? connection.egress.maxResponseBytes : limits.resultBytes;
}
