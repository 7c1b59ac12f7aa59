import { limits } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ORPHAN_GRACE_MS } from './call-state.ts';
import { type IngressFixture, startIngress } from './ingress.fixture.ts';

/** Each test waits for the deadline of a call; they wait at the same time. */
const PATIENCE_MS = limits.callMs + 4 * ORPHAN_GRACE_MS;

let ingress: IngressFixture;
let broken: IngressFixture;
beforeAll(async () => {
  [ingress, broken] = await Promise.all([startIngress(), startIngress()]);
});
afterAll(async () => {
  await ingress?.[Symbol.asyncDispose]();
  await broken?.[Symbol.asyncDispose]();
});

/** Returns the refusal of a call once the ledger can be read. */
async function settledLater(call: string) {
  return await broken.executor.readStep('refused', 'acme', call).catch(() => undefined);
}

describe.concurrent('at the deadline of a call', () => {
  test(
    '[P-answer-claims-no-more] the answer is 503 only with a refusal on the ledger, after which nobody can start the call',
    async () => {
      const answer = ingress.note({ text: 'nobody decides' });
      const { call } = (await ingress.publishedCall('nobody decides')).event;
      const { status, body } = await answer;
      expect({ status, code: body.code, call: body.call }).toEqual({
        ...{ status: 503, code: 'deadline_passed', call: call.call },
      });
      expect(await ingress.executor.readStep('refused', 'acme', call.call)).toMatchObject({
        body: { by: 'ingress', code: 'deadline_passed' },
      });
      expect(await ingress.executor.claim('started', ingress.claimOf(call, 1_000), 0)).toEqual({
        stored: false,
      });
    },
    PATIENCE_MS,
  );

  test(
    '[P-answer-claims-no-more] [P-answer-from-the-ledger] the answer is 504 for a call that was started and not settled, though its result has arrived, and its outcome is answered later',
    async () => {
      const answer = ingress.note({ text: 'nobody settles' });
      const { call } = (await ingress.publishedCall('nobody settles')).event;
      const claimed = await ingress.executor.claim('started', ingress.claimOf(call, 1_000), 0);
      ingress.executor.sendResult(call.replyTo, call.call, Buffer.from('"done"'));
      expect((await ingress.ask(`/v1/calls/${call.call}`)).body).toMatchObject({ state: 'running' });
      const { status, body } = await answer;
      expect({ status, code: body.code, call: body.call }).toEqual({
        ...{ status: 504, code: 'outcome_unknown', call: call.call },
      });
      expect(await ingress.executor.readStep('refused', 'acme', call.call)).toBeUndefined();
      const { tenant, agent, tool, argumentsDigest } = call;
      await ingress.executor.settle(
        {
          ...{ tenant, agent, tool, argumentsDigest, call: call.call, at: Date.now(), outcome: 'unknown' },
          ...{ redactions: 0, labels: [], executor: 'exe_1', keepResult: false },
        },
        claimed.stored ? claimed.sequence : 0,
      );
      const later = await ingress.ask(`/v1/calls/${call.call}`);
      expect(later).toMatchObject({ status: 200, body: { outcome: 'unknown', replayed: true } });
    },
    PATIENCE_MS,
  );

  test(
    '[P-answer-claims-no-more] [P-answer-stays-true] the answer is 504, never 503, when the ledger cannot be read or written, and the call is refused once it can',
    async () => {
      const answer = broken.note({ text: 'no bus' });
      const { call } = (await broken.publishedCall('no bus')).event;
      await broken.testBus.nats.server.kill();
      const { status, body } = await answer;
      expect({ status, code: body.code, call: body.call }).toEqual({
        ...{ status: 504, code: 'outcome_unknown', call: call.call },
      });
      await broken.testBus.nats.server.restart();
      // Nobody asks: the refusal is stored all the same.
      const refused = await eventually(() => settledLater(call.call), PATIENCE_MS);
      expect(refused).toMatchObject({ body: { by: 'ingress', code: 'deadline_passed' } });
      await eventually(async () => {
        const later = await broken.ask(`/v1/calls/${call.call}`);
        return later.status === 503 && later.body.code === 'deadline_passed';
      });
    },
    2 * PATIENCE_MS,
  );
});
