import { SpanStatusCode, trace } from '@opentelemetry/api';

const tracer = trace.getTracer('interlock.broker');

/** Runs a lease in a span of its own. The span names the call and nothing else. */
export async function traceLease<T>(call: string, lease: () => Promise<T>): Promise<T> {
  return await tracer.startActiveSpan('lease', { attributes: { 'interlock.call': call } }, async (span) => {
    try {
      return await lease();
    } catch (cause) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw cause;
    } finally {
      span.end();
    }
  });
}
