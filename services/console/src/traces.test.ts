import { describe, expect, test } from 'vitest';
import { readSpans } from './otlp.ts';
import { drawTrace, type Span, TraceStore } from './traces.ts';

function span(spanId: string, changes: Partial<Span> = {}): Span {
  return {
    traceId: 'a1',
    spanId,
    parentSpanId: undefined,
    name: spanId,
    service: 'ingress',
    startMs: 1_000,
    endMs: 1_010,
    failed: false,
    attributes: {},
    ...changes,
  };
}

describe('a trace', () => {
  test('is drawn as a tree: parents before children, siblings in the order of their start', () => {
    const { spans, durationMs } = drawTrace([
      span('settle', { parentSpanId: 'call', startMs: 1_008, endMs: 1_012 }),
      span('lease', { parentSpanId: 'start', startMs: 1_003 }),
      span('start', { parentSpanId: 'call', startMs: 1_002 }),
      span('call'),
    ]);
    expect(spans.map(({ name, depth, offsetMs }) => [name, depth, offsetMs])).toEqual([
      ['call', 0, 0],
      ['start', 1, 2],
      ['lease', 2, 3],
      ['settle', 1, 8],
    ]);
    expect(durationMs).toBe(12);
  });

  test('has a span whose parent is not kept at the top', () => {
    const { spans } = drawTrace([span('orphan', { parentSpanId: 'elsewhere' })]);
    expect(spans.map(({ name, depth }) => [name, depth])).toEqual([['orphan', 0]]);
  });

  test('is drawn even where spans name each other as parents', () => {
    const circle = [span('one', { parentSpanId: 'two' }), span('two', { parentSpanId: 'one' })];
    expect(drawTrace(circle).spans).toEqual([]);
  });
});

describe('the store of traces', () => {
  test('finds nothing for a call without spans', () => {
    expect(new TraceStore().find('call_1')).toBeUndefined();
  });

  test('finds the whole trace by the call that one of its spans names', () => {
    const store = new TraceStore();
    store.add(span('root'));
    store.add(span('step', { parentSpanId: 'root', attributes: { 'interlock.call': 'call_1' } }));
    expect(store.find('call_1')?.traces[0]?.spans.map(({ name }) => name)).toEqual(['root', 'step']);
  });

  test('forgets the oldest trace when there are too many', () => {
    const store = new TraceStore({ traces: 2, bytes: 1_048_576, spansPerTrace: 8 });
    for (const id of ['1', '2', '3'])
      store.add(span(id, { traceId: id, attributes: { 'interlock.call': `call_${id}` } }));
    expect(store.find('call_1')).toBeUndefined();
    expect(store.find('call_3')).toBeDefined();
  });

  test('measures a trace with all of its spans', () => {
    const store = new TraceStore({ traces: 100, bytes: 4_000, spansPerTrace: 8 });
    const attributes = (call: string) => ({ 'interlock.call': call, text: 'x'.repeat(600) });
    store.add(span('1', { traceId: '1', attributes: attributes('call_1') }));
    store.add(span('1', { traceId: '2', attributes: attributes('call_2') }));
    expect(store.find('call_1')).toBeDefined();
    for (const id of ['2', '3']) store.add(span(id, { traceId: '2', attributes: attributes('call_2') }));
    expect(store.find('call_1')).toBeUndefined();
    expect(store.find('call_2')?.traces[0]?.spans).toHaveLength(3);
  });

  test('forgets the oldest trace when they are too large together', () => {
    const store = new TraceStore({ traces: 100, bytes: 2_000, spansPerTrace: 8 });
    for (const id of ['1', '2', '3'])
      store.add(
        span(id, { traceId: id, attributes: { 'interlock.call': `call_${id}`, text: 'x'.repeat(600) } }),
      );
    expect(store.find('call_1')).toBeUndefined();
    expect(store.find('call_3')).toBeDefined();
  });

  test('[P-console-bounded] is kept of some thousand calls, however many there are', () => {
    const store = new TraceStore();
    const steps = Array.from({ length: 12 }, (_, step) => `step-${step}`);
    const calls = Array.from({ length: 6_000 }, (_, index) => `call_${index}`);
    for (const call of calls)
      for (const step of steps)
        store.add(
          span(step, {
            traceId: call,
            attributes: { 'interlock.call': call, 'interlock.tenant': 'acme', 'messaging.system': 'nats' },
          }),
        );
    const kept = calls.flatMap((call) => store.find(call)?.traces.flatMap(({ spans }) => spans) ?? []);
    expect(kept.length).toBeGreaterThan(20_000);
    expect(kept.length).toBeLessThan(45_000);
    expect(store.find('call_5999')?.traces[0]?.spans).toHaveLength(steps.length);
  });
});

describe('OTLP', () => {
  test('a body that is not an export request is refused with a pointer', () => {
    expect(() => readSpans({ resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: '!' }] }] }] })).toThrow(
      expect.objectContaining({
        code: 'body_invalid',
        pointer: '/resourceSpans/0/scopeSpans/0/spans/0/traceId',
      }),
    );
  });

  test('spans keep their service, times and attributes', () => {
    const service = { key: 'service.name', value: { stringValue: 'executor' } };
    const sent = {
      traceId: 'AB',
      spanId: '01',
      parentSpanId: '',
      name: 'execute_tool files_read',
      kind: 3,
      startTimeUnixNano: '1700000000000500000',
      endTimeUnixNano: '1700000000002000000',
      attributes: [
        { key: 'interlock.call', value: { stringValue: 'call_1' } },
        { key: 'http.response.status_code', value: { intValue: '200' } },
        { key: 'list', value: { arrayValue: {} } },
      ],
      status: { code: 2 },
    };
    const body = {
      resourceSpans: [{ resource: { attributes: [service] }, scopeSpans: [{ spans: [sent] }] }],
    };
    expect(readSpans(body)).toEqual([
      {
        traceId: 'ab',
        spanId: '01',
        parentSpanId: undefined,
        name: 'execute_tool files_read',
        service: 'executor',
        startMs: 1_700_000_000_000.5,
        endMs: 1_700_000_000_002,
        failed: true,
        attributes: { 'interlock.call': 'call_1', 'http.response.status_code': 200 },
      },
    ]);
  });
});
