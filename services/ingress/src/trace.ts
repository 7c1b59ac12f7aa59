import type { IncomingHttpHeaders } from 'node:http';
import {
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import type { Answer } from './answer.ts';

const tracer = trace.getTracer('interlock.ingress');

/**
 * Runs a call in a server span, the root of a trace of its own: an agent chooses neither whether its call is traced nor
 * anything that reaches a tool server. The trace of the agent is linked, without its `tracestate`.
 * `name` names the span after the tool, once that is known. The span has no arguments and no results.
 */
export async function traceCall(
  headers: IncomingHttpHeaders,
  answer: (name: (tool: string) => void) => Promise<Answer>,
): Promise<Answer> {
  const linked = agentTrace(headers);
  const attributes = {
    'http.request.method': 'POST',
    'http.route': '/v1/calls',
    ...(linked === undefined ? {} : { 'interlock.agent.trace_id': linked.traceId }),
  };
  const links = linked === undefined ? [] : [{ context: linked }];
  return await tracer.startActiveSpan(
    'POST /v1/calls',
    { kind: SpanKind.SERVER, attributes, links, root: true },
    ROOT_CONTEXT,
    async (span) => {
      try {
        const answered = await answer((tool) => nameSpan(span, tool));
        recordOutcome(span, answered);
        return answered;
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    },
  );
}

/** Returns the ids of the trace that the agent's request belongs to: hexadecimal digits, and nothing else of it. */
function agentTrace({ traceparent }: IncomingHttpHeaders): SpanContext | undefined {
  const sent = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, { traceparent }));
  return sent && { traceId: sent.traceId, spanId: sent.spanId, traceFlags: TraceFlags.NONE, isRemote: true };
}

function nameSpan(span: Span, tool: string): void {
  span.updateName(`execute_tool ${tool}`);
  span.setAttributes({ 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': tool });
}

function recordOutcome(span: Span, { status, headers }: Answer): void {
  const call = headers['interlock-call'];
  span.setAttribute('http.response.status_code', status);
  if (call !== undefined) span.setAttribute('interlock.call', call);
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
}
