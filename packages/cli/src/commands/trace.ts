import { type CallTraces, callTracesSchema, type TraceSpan } from '@interlock/contracts';
import type { Command } from 'commander';
import { managementClientOf } from '../client.ts';
import { oneLine, print } from '../output.ts';
import { type ManagementOptions, managementCommand } from './options.ts';

const BAR_WIDTH = 24;

/** `interlock trace`: prints the spans of a call. */
export function traceCommand(): Command {
  return managementCommand('trace', 'print the trace of a call as a tree', 'interlock trace CALL')
    .argument('<call>', 'the call')
    .action(async (call: string, options: ManagementOptions) => {
      const client = await managementClientOf(options);
      const path = `/v1/traces/${encodeURIComponent(call)}`;
      const traces = await client.request({ method: 'GET', path, reply: callTracesSchema });
      print(options, traces, treesOf(traces));
    });
}

/** Returns the traces of a call as text: offset, duration, a bar in time, service, and the tree of steps. */
export function treesOf({ traces }: CallTraces): string {
  return traces
    .map(({ traceId, durationMs, spans }) => {
      const services = Math.max(...spans.map(({ service }) => service.length), 'service'.length);
      const head = `${'at'.padStart(9)} ${'took'.padStart(9)}  ${''.padEnd(BAR_WIDTH)}  ${'service'.padEnd(services)}  step`;
      const lines = spans.map((span) => lineOf(span, durationMs, services));
      return [`trace ${traceId}, ${milliseconds(durationMs)} ms`, head, ...lines].join('\n');
    })
    .join('\n\n');
}

function lineOf(span: TraceSpan, wholeMs: number, services: number): string {
  const { offsetMs, durationMs, service, depth, name, failed } = span;
  const times = `${milliseconds(offsetMs).padStart(9)} ${milliseconds(durationMs).padStart(9)}`;
  const step = `${'  '.repeat(depth)}${name}${failed ? '  (failed)' : ''}`;
  return oneLine(`${times}  ${barOf(span, wholeMs)}  ${service.padEnd(services)}  ${step}`);
}

function barOf({ offsetMs, durationMs }: TraceSpan, wholeMs: number): string {
  const scale = wholeMs > 0 ? BAR_WIDTH / wholeMs : 0;
  const start = Math.min(BAR_WIDTH - 1, Math.floor(offsetMs * scale));
  const length = Math.max(1, Math.min(BAR_WIDTH - start, Math.round(durationMs * scale)));
  return `${' '.repeat(start)}${'─'.repeat(length)}`.padEnd(BAR_WIDTH);
}

function milliseconds(ms: number): string {
  return ms.toFixed(2);
}
