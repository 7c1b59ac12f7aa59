import { afterAll, beforeAll, expect, test } from 'vitest';
import { type IngressFixture, startIngress } from './ingress.fixture.ts';

let ingress: IngressFixture;
beforeAll(async () => {
  ingress = await startIngress();
});
afterAll(() => ingress?.[Symbol.asyncDispose]());

test('a request is counted once, with the time from its arrival to its answer', async () => {
  expect((await ingress.ask('/v1/tools')).status).toBe(200);
  const metrics = await ingress.metrics();
  const sampleOf = (name: string): number =>
    Number(
      metrics
        .split('\n')
        .find((line) => line.startsWith(`${name}{`))
        ?.split(' ')
        .at(-1),
    );
  expect(metrics).toContain('interlock_ingress_answers_total{route="GET /v1/tools",status="200"} 1\n');
  expect(sampleOf('interlock_ingress_answer_seconds_count')).toBe(1);
  expect(sampleOf('interlock_ingress_answer_seconds_sum')).toBeGreaterThan(0);
});
