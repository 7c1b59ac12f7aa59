import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type CallTraces, callTracesSchema } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filesBelow } from './inside.ts';
import { type Line, startLine, UPSTREAM_TOKEN } from './line.ts';

const START_MS = 100_000;
const MAIN = fileURLToPath(new URL('../deploy/local/src/main.ts', import.meta.url));
const ARGUMENT = 'a-text-nobody-may-see-in-a-span';
const RESULT = 'a-result-nobody-may-see-in-a-span';

let line: Line;
let call = '';
let trace: CallTraces['traces'][number];
beforeAll(async () => {
  line = await startLine({
    limits: [{ name: 'calls', per: ['agent'], rate: { calls: 1_000, windowMs: 60_000 } }],
  });
  line.upstream.behave({ kind: 'answer', body: { said: RESULT } });
  call = (await line.call('write', { text: ARGUMENT })).body.call ?? '';
  trace = await tracedOf(call);
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

/** Returns the one trace of a call once it is whole: services send their spans a second later. */
async function tracedOf(of: string): Promise<CallTraces['traces'][number]> {
  const { traces } = await eventually(async () => {
    const found = callTracesSchema.safeParse((await line.person('alice').get(`/v1/traces/${of}`)).body);
    const names = found.data?.traces.flatMap(({ spans }) => spans.map(({ name }) => name)) ?? [];
    const isWhole = ['execute_tool write', 'publish settled', 'process admitted', 'publish decided'].every(
      (name) => names.includes(name),
    );
    return isWhole && names.includes('serve broker.lease') && found.data;
  });
  expect(traces).toHaveLength(1);
  return traces[0] ?? expect.unreachable();
}

/** Returns the headers of each event of a call, by its subject without tenant and call, as stored on disk. */
async function eventsOf(of: string): Promise<Map<string, Record<string, string>>> {
  const found = new Map<string, Record<string, string>>();
  for (const { bytes } of await filesBelow(path.join(line.interlock.data, 'nats'))) {
    const events = bytes
      .toString('latin1')
      .matchAll(
        /interlock\.(line|ledger)\.v1\.(\w+)[\w.-]*?\.([\w-]+?)(?:.{4})?NATS\/1\.0\r\n(.*?)\r\n\r\n/gs,
      );
    for (const [, family, step, named, headers = ''] of events)
      if (named === of) found.set(`${family}.${step}`, fieldsOf(headers));
  }
  return found;
}

function fieldsOf(headers: string): Record<string, string> {
  return Object.fromEntries(
    [...headers.matchAll(/^([\w-]+): (.*?)\r?$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
}

describe('a call', () => {
  test('[P-trace-one] is one trace with one root and a span for each step and hop', () => {
    const steps = trace.spans.map(({ service, name }) => `${service.replace('interlock-', '')}: ${name}`);
    expect(steps).toEqual(
      expect.arrayContaining([
        ...['ingress: execute_tool write', 'ingress: publish requested'],
        ...['decider: process requested', 'decider: publish decided'],
        ...['limiter: process decided', 'limiter: publish admitted'],
        ...['executor: process admitted', 'executor: publish started', 'executor: execute_tool write'],
        ...[
          'executor: ask broker.lease',
          'broker: serve broker.lease',
          'executor: POST',
          'executor: publish settled',
        ],
      ]),
    );
    expect(trace.spans.filter(({ depth }) => depth === 0).map(({ name }) => name)).toEqual([
      'execute_tool write',
    ]);
    expect(trace.spans.filter(({ failed }) => failed)).toEqual([]);
  });

  test('[P-trace-one] [P-events-cloudevents] is a CloudEvent at each step, and carries its trace on every event and on the request to the API', async () => {
    const events = await eventually(async () => {
      const found = await eventsOf(call);
      return found.size >= 5 && found;
    });
    expect([...events.keys()].sort()).toEqual(
      ['ledger.settled', 'ledger.started', 'line.admitted', 'line.decided', 'line.requested'].sort(),
    );
    for (const [name, fields] of events) {
      const [family = '', step = ''] = name.split('.');
      expect(fields).toMatchObject({
        'ce-specversion': '1.0',
        'ce-type': `io.interlock.${family}.${step}.v1`,
        'ce-id': expect.stringContaining(call),
        'ce-source': expect.stringMatching(/^interlock\/\w+$/),
        'ce-time': expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        'content-type': 'application/json',
        traceparent: expect.stringContaining(`00-${trace.traceId}-`),
      });
    }
    const [arrived] = line.upstream.requests.filter((request) => request.call === call);
    expect(arrived?.headers['traceparent']).toContain(`00-${trace.traceId}-`);
  });

  test('[P-trace-own] has a trace of its own, whatever its agent sends, which is linked and reaches no tool server', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const response = await fetch(`${line.interlock.ingress}/v1/calls`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${line.agent('helper').key}`,
        'content-type': 'application/json',
        // Flag 00 says that the trace is not recorded.
        traceparent: `00-${traceId}-00f067aa0ba902b7-00`,
        tracestate: 'agent=chose-this',
        baggage: 'agent=chose-this',
      },
      body: JSON.stringify({ tool: 'write', arguments: { text: 'b' } }),
    });
    const made = response.headers.get('interlock-call') ?? '';
    const own = await tracedOf(made);
    expect(own.traceId).not.toBe(traceId);
    const [root] = own.spans;
    expect(root?.parentSpanId).toBeUndefined();
    expect(root?.attributes['interlock.agent.trace_id']).toBe(traceId);
    const [arrived] = line.upstream.requests.filter((request) => request.call === made);
    expect(arrived?.headers['traceparent']).toContain(`00-${own.traceId}-`);
    expect(JSON.stringify(arrived?.headers)).not.toMatch(/chose-this|4bf92f3577b34da6|00f067aa0ba902b7/);
    const events = JSON.stringify([...(await eventsOf(made)).values()]);
    expect(events).not.toMatch(/chose-this|4bf92f3577b34da6|00f067aa0ba902b7/);
  });

  test('[P-trace-no-content] names its tool by the GenAI conventions, and holds no content', () => {
    const executed = trace.spans.filter(({ name }) => name === 'execute_tool write');
    expect(executed.map(({ service }) => service)).toEqual(['interlock-ingress', 'interlock-executor']);
    for (const { attributes } of executed)
      expect(attributes).toMatchObject({
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': 'write',
        'interlock.call': call,
      });
    const text = JSON.stringify(trace);
    for (const content of [ARGUMENT, RESULT, UPSTREAM_TOKEN, line.agent('helper').key])
      expect(text).not.toContain(content);
  });

  test('[P-trace-one] is printed by interlock trace as a tree with times', async () => {
    const args = [MAIN, 'trace', call, '--data', line.interlock.data];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(new RegExp(`^trace ${trace.traceId}, \\d+\\.\\d\\d ms$`));
    expect(lines.length).toBe(trace.spans.length + 2);
    const indentOf = (step: string) => lines.find((text) => text.includes(step))?.indexOf(step) ?? -1;
    expect(indentOf('publish requested')).toBeGreaterThan(indentOf('execute_tool write'));
    expect(indentOf('process requested')).toBeGreaterThan(indentOf('publish requested'));
    expect(lines.slice(2).every((text) => /^ *\d+\.\d\d +\d+\.\d\d /.test(text))).toBe(true);
  });
});
