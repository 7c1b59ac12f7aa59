import type { TraceSpan } from '@interlock/contracts';
import { expect, test } from 'vitest';
import { treesOf } from './trace.ts';

function span(name: string, changes: Partial<TraceSpan>): TraceSpan {
  return {
    depth: 0,
    spanId: name,
    name,
    service: 'ingress',
    offsetMs: 0,
    durationMs: 10,
    failed: false,
    attributes: {},
    ...changes,
  };
}

test('a trace is printed with aligned times, services and the tree of its steps', () => {
  const spans = [
    span('POST /v1/calls', {}),
    span('decide', { depth: 1, service: 'decider', offsetMs: 1.25, durationMs: 0.5 }),
    span('execute_tool', { depth: 2, service: 'executor', offsetMs: 5, durationMs: 5, failed: true }),
  ];
  const traces = [{ traceId: 'ab', startedAt: 0, durationMs: 10, spans }];
  const bar = (start: number, length: number) => `${' '.repeat(start)}${'─'.repeat(length)}`.padEnd(24);
  expect(treesOf({ call: 'call_1', traces }).split('\n')).toEqual([
    'trace ab, 10.00 ms',
    `       at      took  ${' '.repeat(24)}  service   step`,
    `     0.00     10.00  ${bar(0, 24)}  ingress   POST /v1/calls`,
    `     1.25      0.50  ${bar(3, 1)}  decider     decide`,
    `     5.00      5.00  ${bar(12, 12)}  executor      execute_tool  (failed)`,
  ]);
});
