import { describe, expect, test } from 'vitest';
import { eventSchemas } from './events.ts';
import {
  buckets,
  type ConsumerName,
  consumers,
  lifecycle,
  rpcs,
  type ServiceName,
  type Step,
  services,
  storedReaders,
} from './lifecycle.ts';
import { rpcSchemas } from './rpc.ts';
import { callFilter, consumerPatterns, parseSubject, stepPattern, stepSubject } from './subjects.ts';

const steps = Object.keys(lifecycle) as Step[];
const consumerNames = Object.keys(consumers) as ConsumerName[];
const address = { tenant: 'acme', call: 'c_1' } as const;
const isService = (name: ServiceName) => services.includes(name);

describe('[P-bus-from-table] the lifecycle table', () => {
  test('names only steps and services that exist', () => {
    for (const step of steps) {
      for (const before of lifecycle[step].follows) expect(steps).toContain(before);
      expect(lifecycle[step].owners.length).toBeGreaterThan(0);
      expect(lifecycle[step].owners.every(isService)).toBe(true);
    }
    for (const { service, steps: delivered } of Object.values(consumers)) {
      expect(isService(service)).toBe(true);
      for (const step of delivered) expect(steps).toContain(step);
    }
    for (const { writer, readers } of Object.values(buckets))
      expect([writer, ...readers].every(isService)).toBe(true);
    for (const { server, clients } of Object.values(rpcs))
      expect([server, ...clients].every(isService)).toBe(true);
  });

  test('begins with `requested` or `evaluated`, and every other step follows from one of them', () => {
    expect(steps.filter((step) => lifecycle[step].follows.length === 0)).toEqual(['requested', 'evaluated']);
    const reached = new Set<Step>(['requested', 'evaluated']);
    for (const _ of steps)
      for (const step of steps)
        if (lifecycle[step].follows.some((one) => reached.has(one))) reached.add(step);
    expect([...reached].sort()).toEqual([...steps].sort());
  });

  test('has one owner for each step, except for refusals, which every owner of a step before the effect may publish', () => {
    const shared = steps.filter((step) => lifecycle[step].owners.length > 1);
    expect(shared).toEqual(['refused']);
    expect(lifecycle.refused.owners).not.toContain('console');
  });

  test('has a consumer for every step on the line, of a service that owns a step which follows', () => {
    const inFlight = steps.filter((step) => lifecycle[step].stream === 'LINE');
    for (const step of inFlight) {
      const pulling = consumerNames.filter((name) => consumers[name].steps.some((one) => one === step));
      expect(pulling, step).toHaveLength(1);
      const successors = steps.filter((next) => lifecycle[next].follows.some((one) => one === step));
      for (const name of pulling)
        expect(
          successors.some((next) =>
            lifecycle[next].owners.some((owner) => owner === consumers[name].service),
          ),
        ).toBe(true);
    }
  });

  test('filters each consumer by patterns that match its steps and no others', () => {
    for (const name of consumerNames) {
      const { stream, steps: delivered } = consumers[name];
      for (const step of delivered) expect(lifecycle[step].stream).toBe(stream);
      const fitting = steps.filter((step) =>
        consumerPatterns(name).some((pattern) => fits(pattern, stepSubject(step, address))),
      );
      expect(fitting).toEqual(
        steps.filter((step) =>
          delivered.length === 0 ? lifecycle[step].stream === stream : delivered.some((one) => one === step),
        ),
      );
    }
  });

  test('gives stored events only to the services that answer agents or count limits', () => {
    expect(storedReaders).toEqual({
      settled: ['ingress', 'limiter'],
      refused: ['ingress', 'limiter'],
      asked: ['ingress'],
    });
  });

  test('has a shape for every event and every verb', () => {
    expect(Object.keys(eventSchemas).sort()).toEqual([...steps].sort());
    expect(Object.keys(rpcSchemas).sort()).toEqual(Object.keys(rpcs).sort());
  });
});

describe('a subject', () => {
  test.each(steps)('of %s is parsed into its step and call', (step) => {
    const subject = stepSubject(step, address);
    expect(parseSubject(subject)).toEqual({ step, address });
    expect(fits(stepPattern(step), subject)).toBe(true);
    expect(subject.split('.').slice(-2)).toEqual(['acme', 'c_1']);
  });

  test.each([
    'interlock.line.v1.requested.executor.any.acme.c_1',
    'interlock.line.v2.requested.acme.c_1',
    'interlock.ledger.v1.requested.acme.c_1',
    'interlock.ledger.v1.started.acme.c_1.more',
    'interlock.control.v1.tool.apply.acme',
    'interlock.ledger.v1',
    '',
  ])('outside the lifecycle is not parsed: %j', (subject) => {
    expect(parseSubject(subject)).toBeUndefined();
  });

  test('[P-ledger-claim-once] of every ledger step of a call matches the one filter that its publishes expect', () => {
    const ledger = steps.filter((step) => lifecycle[step].stream === 'LEDGER');
    expect(new Set(ledger.map((step) => callFilter(step, address))).size).toBe(1);
    for (const step of ledger)
      expect(fits(callFilter('started', address), stepSubject(step, address))).toBe(true);
    const other = { ...address, call: 'c_2' };
    expect(fits(callFilter('started', address), stepSubject('started', other))).toBe(false);
    expect(
      fits(callFilter('started', address), stepSubject('started', { ...address, tenant: 'rival' })),
    ).toBe(false);
  });

  test('[P-line-one-successor] of every line step of a call matches one filter, and a resolution has a filter of its own', () => {
    const line = steps.filter((step) => lifecycle[step].stream === 'LINE');
    expect(new Set(line.map((step) => callFilter(step, address))).size).toBe(1);
    for (const step of line)
      expect(fits(callFilter('decided', address), stepSubject(step, address))).toBe(true);
    expect(callFilter('resolved', address)).toBe(stepSubject('resolved', address));
    expect(fits(callFilter('asked', address), stepSubject('answered', address))).toBe(true);
  });
});

/** How the server matches a subject: `*` is one token, `>` is all that follow. */
function fits(pattern: string, subject: string): boolean {
  const tokens = subject.split('.');
  const wanted = pattern.split('.');
  if (wanted.at(-1) === '>') return tokens.length >= wanted.length && wanted.slice(0, -1).every(same);
  return tokens.length === wanted.length && wanted.every(same);
  function same(token: string, index: number): boolean {
    return token === '*' || token === tokens[index];
  }
}
