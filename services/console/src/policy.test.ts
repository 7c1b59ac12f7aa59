import {
  bundleKey,
  controlSchema,
  type PolicyState,
  policyStateSchema,
  type Statement,
  sha256,
} from '@interlock/contracts';
import { verifyStatement } from '@interlock/keys';
import { eventually } from '@interlock/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type House, startTestBus } from './house.fixture.ts';

let house: House;
beforeEach(async () => {
  house = await startTestBus([
    { person: 'alice', roles: ['admin'] },
    { person: 'otto', roles: ['operator'] },
    { person: 'tina', roles: ['admin'], tenants: ['acme'] },
  ]);
});
afterEach(() => house[Symbol.asyncDispose]());

async function publish(content: string, as: 'current' | 'candidate' = 'current'): Promise<PolicyState> {
  const answer = await house.ask('alice', 'POST', '/v1/policy', { ...house.signed(content), as });
  expect(answer).toMatchObject({ status: 200 });
  return policyStateSchema.parse(answer.body);
}

async function rollBack(to: number) {
  return await house.ask('alice', 'POST', '/v1/policy/rollback', { to, reason: 'too wide' });
}

describe('a publishing is refused', () => {
  test('[P-policy-signed] without the signature of the author over these very bytes', async () => {
    const [one, other] = [house.signed('one'), house.signed('other')];
    for (const signature of [other.signature, `${one.signature.slice(0, -6)}AAAAAA`, 'none']) {
      const asked = await house.ask('alice', 'POST', '/v1/policy', { ...one, signature, as: 'current' });
      expect(asked).toMatchObject({ status: 403, body: { code: 'bundle_unsigned' } });
      const configuration = { tools: [], policy: { ...one, signature } };
      expect(await house.ask('alice', 'POST', '/v1/apply', configuration)).toMatchObject({
        status: 403,
        body: { code: 'bundle_unsigned' },
      });
    }
    expect((await house.ask('alice', 'GET', '/v1/policy')).body).toEqual({ versions: [], deciders: [] });
  });

  test('to everybody who may not decide for every tenant', async () => {
    for (const person of ['otto', 'tina']) {
      const body = { ...house.signed('one'), as: 'current' };
      expect(await house.ask(person, 'POST', '/v1/policy', body)).toMatchObject({ status: 403 });
      expect(await house.ask(person, 'POST', '/v1/policy/rollback', { to: 1 })).toMatchObject({
        status: 403,
      });
      expect(await house.ask(person, 'DELETE', '/v1/policy/candidate')).toMatchObject({ status: 403 });
    }
    expect(await house.ask('otto', 'GET', '/v1/policy')).toMatchObject({ status: 200 });
  });

  test('as a rollback to what is not there, or no longer kept', async () => {
    await publish('one');
    expect(await rollBack(2)).toMatchObject({ status: 404, body: { code: 'policy_version_unknown' } });
    for (let version = 2; version <= 12; version += 1) await publish(`edition ${version}`);
    expect(await rollBack(1)).toMatchObject({ status: 404, body: { code: 'policy_version_unknown' } });
    expect(await rollBack(3)).toMatchObject({ status: 200 });
  });
});

describe('a publishing', () => {
  test('[P-policy-publish] is told on CONTROL with the signed entry, so that whoever hears it can verify version and digest', async () => {
    const auditor = await house.join('auditor');
    const told: Statement<'entry'>[] = [];
    await using _following = auditor.follow('CONTROL', async (batch) => {
      for (const { data } of batch) {
        const act = controlSchema.parse(JSON.parse(new TextDecoder().decode(data)));
        if (act.kind === 'policy' && act.entry !== undefined)
          told.push(verifyStatement(act.entry, 'entry', house.keyring, Date.now()));
      }
    });
    await publish('one');
    await publish('two');
    const back = await rollBack(1);
    expect(back).toMatchObject({ status: 200 });
    await eventually(() => told.length === 3);
    expect(told.map(({ bucket, key }) => `${bucket}/${key}`)).toEqual(Array(3).fill('policies/current'));
    expect(told.map(({ value }) => value)).toMatchObject([
      { version: 1, digest: sha256('one') },
      { version: 2, digest: sha256('two') },
      { version: 3, digest: sha256('one'), rollbackOf: 1 },
    ]);
  });

  test('[P-policy-publish] has a version of its own, also when it is old content, and the same twice is one', async () => {
    await publish('one');
    await publish('one');
    const two = await publish('two');
    expect(two.versions.map(({ version }) => version)).toEqual([2, 1]);
    const back = policyStateSchema.parse((await rollBack(1)).body);
    expect(back.current).toMatchObject({
      version: 3,
      rollbackOf: 1,
      digest: sha256('one'),
      by: 'alice',
      reason: 'too wide',
    });
    expect(back.versions.map(({ version }) => version)).toEqual([3, 2, 1]);
    const again = policyStateSchema.parse((await rollBack(3)).body);
    expect(again.current).toMatchObject({ version: 4, rollbackOf: 1 });
  });

  test('makes of a candidate what decides, and then there is no candidate', async () => {
    await publish('one');
    const watched = await publish('two', 'candidate');
    expect(watched).toMatchObject({
      current: { version: 1 },
      candidate: { version: 2, digest: sha256('two') },
    });
    const decided = await publish('two');
    expect(decided).toMatchObject({ current: { version: 3, digest: sha256('two') } });
    expect(decided.candidate).toBeUndefined();
  });

  test('keeps the bytes of what decides, what is watched and what may come back, and of nothing else', async () => {
    const decider = await house.join('decider');
    const kept = async (content: string) =>
      (await decider.blobs('bundles').get(bundleKey(sha256(content)))) !== undefined;
    await publish('watched', 'candidate');
    for (let edition = 1; edition <= 12; edition += 1) await publish(`edition ${edition}`);
    expect(await kept('watched')).toBe(true);
    expect([await kept('edition 1'), await kept('edition 2')]).toEqual([false, false]);
    expect([await kept('edition 3'), await kept('edition 12')]).toEqual([true, true]);
    await house.ask('alice', 'DELETE', '/v1/policy/candidate');
    expect(await kept('watched')).toBe(false);
  });

  test('[P-policy-newest] mends what stands unsigned in its bucket', async () => {
    await publish('one');
    const intruder = await house.join('console');
    const texts = intruder.records('policies', z.string());
    for (const key of ['current', 'v-1', 'v-99', 'candidate']) await texts.put(key, 'unsigned', 'any');
    await publish('one');
    const { entries, refused } = await intruder.entries('policies').survey();
    expect(refused).toEqual([]);
    expect(entries.map(({ key }) => key).sort()).toEqual(['current', 'v-1']);
  });
});
