import type { IncomingHttpHeaders } from 'node:http';
import { context, propagation, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Answer } from './answer.ts';

const tracer = trace.getTracer('interlock.ingress');

/**
 * Runs a call in a server span that continues the caller's trace. `name` names the span after the tool, once that is
 * known. The span has no arguments and no results.
 */
export async function traceCall(
  headers: IncomingHttpHeaders,
  answer: (name: (tool: string) => void) => Promise<Answer>,
): Promise<Answer> {
  const parent = propagation.extract(context.active(), headers);
  const attributes = { 'http.request.method': 'POST', 'http.route': '/v1/calls' };
  return await tracer.startActiveSpan(
    'POST /v1/calls',
    { kind: SpanKind.SERVER, attributes },
    parent,
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
