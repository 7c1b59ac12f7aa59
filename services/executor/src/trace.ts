import {
  type Attributes,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';

const tracer = trace.getTracer('interlock.executor');

interface SpanOptions {
  kind: 'internal' | 'client';
  attributes: Attributes;
}

/** Runs work in a span. What it throws marks the span and is thrown on; its text stays out of the span. */
export async function inSpan<T>(
  name: string,
  { kind, attributes }: SpanOptions,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const options = { kind: kind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL, attributes };
  return await tracer.startActiveSpan(name, options, async (span) => {
    try {
      return await work(span);
    } catch (cause) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw cause;
    } finally {
      span.end();
    }
  });
}

/** Returns the headers that carry the current span to the other side (W3C Trace Context); none without a trace. */
export function traceHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  return headers;
}
