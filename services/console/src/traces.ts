/**
 * Spans of recent calls, kept in memory for `interlock trace`. They prove nothing: the audit trail does.
 *
 * T1. The number of traces and their bytes are bounded; the trace that got no span for the longest time is deleted first.
 * T2. A span is drawn under its parent; a span whose parent is not kept is drawn at the top.
 */
import type { CallTraces, TraceSpan } from '@interlock/contracts';
import { LRUCache } from 'lru-cache';

/** A span as it was received. Times are milliseconds since the epoch. */
export interface Span {
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  name: string;
  service: string;
  startMs: number;
  endMs: number;
  failed: boolean;
  attributes: TraceSpan['attributes'];
}

export interface TraceLimits {
  traces: number;
  bytes: number;
  spansPerTrace: number;
}

/**
 * Some two thousand calls, which is a day on a laptop, and no trace so long that it displaces the others. Under load a store
 * is always full: what it may hold is what the process grows by.
 */
export const traceLimits: TraceLimits = { traces: 4_000, bytes: 16 * 1_048_576, spansPerTrace: 512 };

const CALL_ATTRIBUTE = 'interlock.call';
/** Memory of a span besides its text: objects, map entries, numbers. */
const SPAN_OVERHEAD_BYTES = 400;

interface Trace {
  spans: Map<string, Span>;
  calls: Set<string>;
  bytes: number;
}

/** A bounded store of traces, by trace and by call. */
export class TraceStore {
  readonly #spansPerTrace: number;
  readonly #traces: LRUCache<string, Trace>;
  readonly #tracesOfCall = new Map<string, Set<string>>();

  constructor({ traces, bytes, spansPerTrace }: TraceLimits = traceLimits) {
    this.#spansPerTrace = spansPerTrace;
    // T1
    this.#traces = new LRUCache({
      max: traces,
      maxSize: bytes,
      sizeCalculation: (trace) => trace.bytes,
      dispose: (trace, traceId) => this.#unindex(trace, traceId),
      noDisposeOnSet: true,
    });
  }

  /** Keeps a span. The same span sent again changes nothing. */
  add(span: Span): void {
    const trace = this.#traces.peek(span.traceId) ?? { spans: new Map(), calls: new Set(), bytes: 0 };
    if (trace.spans.has(span.spanId) || trace.spans.size >= this.#spansPerTrace) return;
    trace.spans.set(span.spanId, span);
    const call = span.attributes[CALL_ATTRIBUTE];
    if (typeof call === 'string') trace.calls.add(call);
    // A new object: the cache measures a value again only where it is replaced.
    this.#traces.set(span.traceId, { ...trace, bytes: trace.bytes + sizeOf(span) });
    if (typeof call === 'string' && this.#traces.has(span.traceId)) this.#index(call, span.traceId);
  }

  /** Returns the traces that a call appears in, oldest first, or undefined where there are none. */
  find(call: string): CallTraces | undefined {
    const found = [...(this.#tracesOfCall.get(call) ?? [])].flatMap((traceId) => {
      const trace = this.#traces.peek(traceId);
      return trace === undefined ? [] : [{ traceId, ...drawTrace([...trace.spans.values()]) }];
    });
    if (found.length === 0) return undefined;
    return { call, traces: found.sort((left, right) => left.startedAt - right.startedAt) };
  }

  #index(call: string, traceId: string): void {
    const traces = this.#tracesOfCall.get(call) ?? new Set();
    this.#tracesOfCall.set(call, traces.add(traceId));
  }

  #unindex({ calls }: Trace, traceId: string): void {
    for (const call of calls) {
      const traces = this.#tracesOfCall.get(call);
      traces?.delete(traceId);
      if (traces?.size === 0) this.#tracesOfCall.delete(call);
    }
  }
}

/** Returns spans as a tree, in the order it is printed: a parent before its children, siblings by start. */
export function drawTrace(spans: readonly Span[]): Omit<CallTraces['traces'][number], 'traceId'> {
  const byStart = [...spans].sort((left, right) => left.startMs - right.startMs);
  // T2
  const known = new Set(spans.map(({ spanId }) => spanId));
  const startedAt = byStart[0]?.startMs ?? 0;
  const endedAt = spans.reduce((latest, { endMs }) => Math.max(latest, endMs), startedAt);
  const children = new Map<string, Span[]>();
  const roots: Span[] = [];
  for (const span of byStart) {
    const { parentSpanId } = span;
    if (parentSpanId === undefined || parentSpanId === span.spanId || !known.has(parentSpanId))
      roots.push(span);
    else children.set(parentSpanId, [...(children.get(parentSpanId) ?? []), span]);
  }
  // Spans whose parents form a circle are below no root, and are left out.
  const drawn: TraceSpan[] = [];
  const pending = roots.map((span) => ({ span, depth: 0 })).reverse();
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { span, depth } = next;
    drawn.push(drawSpan(span, depth, startedAt));
    const below = (children.get(span.spanId) ?? []).map((child) => ({ span: child, depth: depth + 1 }));
    pending.push(...below.reverse());
  }
  return { startedAt, durationMs: endedAt - startedAt, spans: drawn };
}

function drawSpan(span: Span, depth: number, startedAt: number): TraceSpan {
  const { spanId, parentSpanId, name, service, startMs, endMs, failed, attributes } = span;
  return {
    depth,
    spanId,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    name,
    service,
    offsetMs: startMs - startedAt,
    durationMs: Math.max(0, endMs - startMs),
    failed,
    attributes,
  };
}

function sizeOf({ name, service, attributes }: Span): number {
  const texts = Object.entries(attributes).map(([key, value]) => key.length + String(value).length);
  return texts.reduce((sum, length) => sum + length, SPAN_OVERHEAD_BYTES + name.length + service.length);
}
