/**
 * Spans of recent calls, kept in memory for `interlock trace`. They are for looking at and prove nothing:
 * the audit trail does.
 *
 * 1. What is kept is bounded in traces and in bytes; the oldest trace goes first.
 * 2. A span is shown under the parent that is here; where the parent is not, it stands at the top.
 */
import type { CallTraces, TraceSpan } from '@interlock/contracts';

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

/** A day's work of a laptop: 64 MiB at most, and no trace so long that it pushes out the others. */
export const traceLimits: TraceLimits = { traces: 20_000, bytes: 64 * 1_048_576, spansPerTrace: 512 };

const CALL_ATTRIBUTE = 'interlock.call';
/** What a span costs besides its text: objects, map entries, numbers. */
const SPAN_OVERHEAD_BYTES = 400;

interface Trace {
  spans: Map<string, Span>;
  calls: Set<string>;
  bytes: number;
}

/** A bounded store of traces, by trace and by call. */
export class TraceStore {
  readonly #limits: TraceLimits;
  readonly #traces = new Map<string, Trace>();
  readonly #tracesOfCall = new Map<string, Set<string>>();
  #bytes = 0;

  constructor(limits: TraceLimits = traceLimits) {
    this.#limits = limits;
  }

  /** Keeps a span. The same span sent again changes nothing. */
  add(span: Span): void {
    const trace = this.#traces.get(span.traceId) ?? { spans: new Map(), calls: new Set(), bytes: 0 };
    if (trace.spans.has(span.spanId) || trace.spans.size >= this.#limits.spansPerTrace) return;
    this.#traces.set(span.traceId, trace);
    trace.spans.set(span.spanId, span);
    const bytes = sizeOf(span);
    trace.bytes += bytes;
    this.#bytes += bytes;
    const call = span.attributes[CALL_ATTRIBUTE];
    if (typeof call === 'string') this.#index(call, span.traceId, trace);
    this.#forgetOldest();
  }

  /** Returns the traces a call appears in, oldest first, or undefined when there are none. */
  find(call: string): CallTraces | undefined {
    const found = [...(this.#tracesOfCall.get(call) ?? [])].flatMap((traceId) => {
      const trace = this.#traces.get(traceId);
      return trace === undefined ? [] : [{ traceId, ...drawTrace([...trace.spans.values()]) }];
    });
    if (found.length === 0) return undefined;
    return { call, traces: found.sort((left, right) => left.startedAt - right.startedAt) };
  }

  #index(call: string, traceId: string, trace: Trace): void {
    trace.calls.add(call);
    const traces = this.#tracesOfCall.get(call) ?? new Set();
    this.#tracesOfCall.set(call, traces.add(traceId));
  }

  #forgetOldest(): void {
    for (const [traceId, trace] of this.#traces) {
      if (this.#traces.size <= this.#limits.traces && this.#bytes <= this.#limits.bytes) return;
      this.#traces.delete(traceId);
      this.#bytes -= trace.bytes;
      for (const call of trace.calls) {
        const traces = this.#tracesOfCall.get(call);
        traces?.delete(traceId);
        if (traces?.size === 0) this.#tracesOfCall.delete(call);
      }
    }
  }
}

/** Returns spans as a tree, in the order it is printed: a parent before its children, siblings by start. */
export function drawTrace(spans: readonly Span[]): Omit<CallTraces['traces'][number], 'traceId'> {
  const byStart = [...spans].sort((left, right) => left.startMs - right.startMs);
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
  // Spans whose parents form a circle hang below no root and are not shown.
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
