import { limits } from '@interlock/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Door, startDoor } from './door.fixture.ts';
import { ORPHAN_GRACE_MS } from './outcome.ts';

/** Each of these waits for the deadline of a call; they wait together. */
const PATIENCE_MS = limits.callMs + 4 * ORPHAN_GRACE_MS;

let door: Door;
let broken: Door;
beforeAll(async () => {
  [door, broken] = await Promise.all([startDoor(), startDoor()]);
});
afterAll(async () => {
  await door?.[Symbol.asyncDispose]();
  await broken?.[Symbol.asyncDispose]();
});

describe.concurrent('at the deadline of a call', () => {
  test(
    '[P-answer-claims-no-more] 503 is said with a refusal on the ledger, after which nobody can start it',
    async () => {
      const answer = door.note({ text: 'nobody decides' });
      const { call } = (await door.onTheLine('nobody decides')).event;
      const { status, body } = await answer;
      expect({ status, code: body.code, call: body.call }).toEqual({
        ...{ status: 503, code: 'deadline_passed', call: call.call },
      });
      expect(await door.executor.readStep('refused', 'acme', call.call)).toMatchObject({
        body: { by: 'ingress', code: 'deadline_passed' },
      });
      expect(await door.executor.claim('started', door.claimOf(call, 1_000), 0)).toEqual({ stored: false });
    },
    PATIENCE_MS,
  );

  test(
    '[P-answer-claims-no-more] 504 is said of a call that was started and not settled, and its outcome is told later',
    async () => {
      const answer = door.note({ text: 'nobody settles' });
      const { call } = (await door.onTheLine('nobody settles')).event;
      const claimed = await door.executor.claim('started', door.claimOf(call, 1_000), 0);
      expect((await door.ask(`/v1/calls/${call.call}`)).body).toMatchObject({ state: 'running' });
      const { status, body } = await answer;
      expect({ status, code: body.code, call: body.call }).toEqual({
        ...{ status: 504, code: 'outcome_unknown', call: call.call },
      });
      expect(await door.executor.readStep('refused', 'acme', call.call)).toBeUndefined();
      const { tenant, agent, tool, argumentsDigest } = call;
      await door.executor.settle(
        {
          ...{ tenant, agent, tool, argumentsDigest, call: call.call, at: Date.now(), outcome: 'unknown' },
          ...{ redactions: 0, labels: [], executor: 'exe_test', keepResult: false },
        },
        claimed.stored ? claimed.sequence : 0,
      );
      const later = await door.ask(`/v1/calls/${call.call}`);
      expect(later).toMatchObject({ status: 200, body: { outcome: 'unknown', replayed: true } });
    },
    PATIENCE_MS,
  );

  test(
    '[P-answer-claims-no-more] 504 is said when the ledger cannot be read or written, and never 503',
    async () => {
      const answer = broken.note({ text: 'no bus' });
      const { call } = (await broken.onTheLine('no bus')).event;
      await broken.house.nats.server.kill();
      const { status, body } = await answer;
      expect({ status, code: body.code, call: body.call }).toEqual({
        ...{ status: 504, code: 'outcome_unknown', call: call.call },
      });
    },
    PATIENCE_MS,
  );
});
