/** Publishing under traffic: the deciders themselves refuse an invalid bundle. */
import { policyStateSchema, sha256 } from '@interlock/contracts';
import { authorKeySchema, createKey } from '@interlock/keys';
import { signBundle } from '@interlock/policy';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { startTraffic } from './policy-traffic.ts';
import { type Publishing, startPublishing } from './publishing.ts';

const START_MS = 120_000;
const TEST_MS = 90_000;
const HOUR_MS = 3_600_000;

let place: Publishing;
beforeAll(async () => {
  place = await startPublishing();
}, START_MS);
afterAll(() => place?.[Symbol.asyncDispose](), START_MS);

describe('an invalid bundle that reaches the deciders under traffic', () => {
  const strangers = authorKeySchema.parse({
    holder: 'author',
    sign: { keyId: 'sig_stranger', privateKey: createKey('author', 'sign', Date.now() + HOUR_MS).privateKey },
  }).sign;

  test.each([
    ['tampered with', () => place.smuggle(place.bundles.strict, { digest: sha256('another') })],
    [
      'not signed by the author',
      () =>
        place.smuggle(place.bundles.strict, {
          signature: signBundle(place.bundles.strict, strangers, Date.now()),
        }),
    ],
    ['failing its canaries', () => place.smuggle(place.bundles.boundless)],
  ])(
    '[P-policy-refused] %s, is refused: the policy before it stays in force, and readiness, console and audit report it',
    async (_, put) => {
      const before = await place.publish(
        (await place.state()).current?.digest === sha256(place.bundles.one)
          ? place.bundles.other
          : place.bundles.one,
      );
      const traffic = startTraffic(place.line);
      await traffic.pass(20);
      const version = await put();
      await eventually(async () =>
        (await place.readiness()).every(
          ({ ready, facts }) =>
            ready &&
            facts['policyVersion'] === before.version &&
            facts['policyDigest'] === before.digest &&
            facts['policyRejectedVersion'] === version,
        ),
      );
      await traffic.pass(20);
      const flown = await traffic.stop();
      expect(flown.filter(({ answer }) => answer.body.outcome !== 'succeeded')).toEqual([]);
      expect((await place.decisionOf(flown.at(-1)?.answer.body.call)).policyVersion).toBe(before.version);
      await place.untilAudited('policy.refused', `current v-${version}`);
      const { deciders } = await place.state();
      expect(deciders.flatMap(({ rejected }) => rejected.map((reject) => reject.version))).toEqual([
        version,
        version,
      ]);
    },
    TEST_MS,
  );

  test(
    '[P-policy-refused] [P-policy-newest] older, is refused: the newer one stays in force, and a decider that starts then decides nothing until management signs again',
    async () => {
      await place.publish(place.bundles.one);
      const older = await place.observer.textAt('policies', 'current');
      const newer = await place.publish(place.bundles.other);
      const traffic = startTraffic(place.line);
      await traffic.pass(20);
      await place.observer.putText('policies', 'current', older);
      await place.untilAudited('policy.refused', 'current');
      await traffic.pass(20);
      const flown = await traffic.stop();
      expect(flown.filter(({ answer }) => answer.body.outcome !== 'succeeded')).toEqual([]);
      expect((await place.decisionOf(flown.at(-1)?.answer.body.call)).policyVersion).toBe(newer.version);
      await place.untilAudited('policy.accepted', `current v-${newer.version}`);

      place.line.interlock.signal('decider-2', 'SIGTERM');
      await eventually(
        async () =>
          (await place.readiness()).some(
            ({ ready, facts }) => !ready && facts['policyVersion'] === undefined,
          ),
        START_MS,
      );
      await place.publish(place.bundles.one);
      await eventually(async () => (await place.readiness()).every(({ ready }) => ready));
    },
    TEST_MS,
  );

  test(
    '[P-policy-newest] an unsigned text in its place stops every call, and publishing again repairs that',
    async () => {
      await place.publish(place.bundles.one);
      await place.observer.putText('policies', 'current', 'not signed by anybody');
      await eventually(async () => (await place.readiness()).every(({ ready }) => !ready));
      expect(await place.line.call('read', { id: 1 })).toMatchObject({
        status: 503,
        body: { code: 'policy_missing' },
      });
      await place.publish(place.bundles.other);
      expect(await place.line.call('read', { id: 1 })).toMatchObject({ status: 200 });
    },
    TEST_MS,
  );
});

describe('a bundle that is sent to the management API', () => {
  test('[P-policy-signed] is refused when its signature is of an unknown key or for another bundle', async () => {
    const [first, second] = [place.bundles.one, place.bundles.other];
    const bundle = Buffer.from(first).toString('base64');
    const before = await place.state();
    for (const signature of [signBundle(second, place.author, Date.now()), 'none'])
      expect(
        await place.line.person('alice').post('/v1/policy', { bundle, signature, as: 'current' }),
      ).toMatchObject({ status: 403, body: { code: 'bundle_unsigned' } });
    expect(
      await place.line.person('bob').post('/v1/policy', {
        bundle,
        signature: signBundle(first, place.author, Date.now()),
        as: 'current',
      }),
    ).toMatchObject({ status: 403, body: { code: 'role_missing' } });
    expect(await place.line.person('alice').post('/v1/policy/rollback', { to: 9_999 })).toMatchObject({
      status: 404,
      body: { code: 'policy_version_unknown' },
    });
    expect((await place.state()).current).toEqual(before.current);
  });
});

test(
  '[P-line-no-way-round] a call that was approved is still stopped by a stricter policy that was published meanwhile',
  async () => {
    await place.publish(place.bundles.one);
    const held = await place.line.call('ask', { text: 'before the stricter policy' });
    expect(held.status).toBe(202);
    await place.publish(place.bundles.strict);
    const call = held.body.call ?? '';
    await place.line.person('bob').answer(call, 'approve');
    const after = await place.line.getCall(call, { waitSeconds: 20 });
    expect(after.body).toMatchObject({ status: 403, code: 'policy_denied', rule: 'no_writes' });
    expect(place.line.upstream.effects.get(call)).toBeUndefined();
  },
  TEST_MS,
);

test(
  '[P-policy-reload] a dozen publishings and rollbacks under traffic lose no call and decide none twice, each by a policy that was in force',
  async () => {
    const decided = new Map<string, number[]>();
    const bodySchema = z.looseObject({
      call: z.looseObject({ call: z.string() }),
      decision: z.looseObject({ policyVersion: z.int() }),
    });
    await place.observer.onPublished(({ step, text }) => {
      if (step !== 'decided') return;
      const { call, decision } = bodySchema.parse(JSON.parse(text));
      decided.set(call.call, [...(decided.get(call.call) ?? []), decision.policyVersion]);
    });
    let inForce = (await place.publish(place.bundles.one)).version;
    const first = inForce;
    const traffic = startTraffic(place.line, () => inForce);
    for (let round = 0; round < 6; round += 1) {
      await traffic.pass(10);
      const published = await place.publish(place.bundles.other);
      inForce = published.version;
      await traffic.pass(10);
      const answer = await place.line.person('alice').post('/v1/policy/rollback', { to: first });
      const back = await place.untilLoaded(policyStateSchema.parse(answer.body).current);
      expect(back).toMatchObject({ rollbackOf: first, digest: sha256(place.bundles.one) });
      inForce = back.version;
    }
    await traffic.pass(10);
    const flown = await traffic.stop();
    expect(inForce).toBe(first + 12);
    expect(flown.filter(({ answer }) => answer.body.outcome !== 'succeeded')).toEqual([]);
    const arrived = place.line.upstream.requests.map(({ body }) => body);
    for (const { text, mark, answer } of flown) {
      const versions = decided.get(answer.body.call ?? '') ?? [];
      expect(versions).toHaveLength(1);
      // Every decider had taken what was in force before the call was sent; none can be ahead of the last publishing.
      expect(versions[0]).toBeGreaterThanOrEqual(mark);
      expect(versions[0]).toBeLessThanOrEqual(inForce);
      expect(arrived.filter((body) => body.includes(text))).toHaveLength(1);
    }
    expect(new Set([...decided.values()].flat()).size).toBeGreaterThan(6);
  },
  TEST_MS,
);
