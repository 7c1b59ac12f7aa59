/** A minimal tracer, so that a test can check what the bus propagates: a context per task, and `traceparent`. */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Context,
  type ContextManager,
  context,
  propagation,
  ROOT_CONTEXT,
  type TextMapPropagator,
  TraceFlags,
  trace,
} from '@opentelemetry/api';

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Installs both until disposed. */
export function installTracing(): Disposable {
  context.setGlobalContextManager(taskContexts());
  propagation.setGlobalPropagator(traceparent);
  return {
    [Symbol.dispose]: () => {
      context.disable();
      propagation.disable();
    },
  };
}

/** Runs work under a trace that was begun elsewhere. */
export function underTrace<T>(traceId: string, work: () => T): T {
  const span = { traceId, spanId: 'b7ad6b7169203331', traceFlags: TraceFlags.SAMPLED, isRemote: true };
  return context.with(trace.setSpanContext(ROOT_CONTEXT, span), work);
}

function taskContexts(): ContextManager {
  const storage = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (active, work, self, ...args) => storage.run(active, () => work.apply(self, args)),
    bind: (_active, target) => target,
    enable: () => manager,
    disable: () => manager,
  };
  return manager;
}

const traceparent: TextMapPropagator = {
  inject: (active, carrier, { set }) => {
    const span = trace.getSpanContext(active);
    if (span !== undefined) set(carrier, 'traceparent', `00-${span.traceId}-${span.spanId}-01`);
  },
  extract: (active, carrier, { get }) => {
    const [, traceId, spanId] = TRACEPARENT.exec(String(get(carrier, 'traceparent') ?? '')) ?? [];
    if (traceId === undefined || spanId === undefined) return active;
    return trace.setSpanContext(active, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
  },
  fields: () => ['traceparent'],
};
