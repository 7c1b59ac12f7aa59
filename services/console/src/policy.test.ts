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
import { type ConsoleFixture, startConsole } from './console.fixture.ts';

let fixture: ConsoleFixture;
beforeEach(async () => {
  fixture = await startConsole([
    { person: 'alice', roles: ['admin'] },
    { person: 'otto', roles: ['operator'] },
    { person: 'tina', roles: ['admin'], tenants: ['acme'] },
  ]);
});
afterEach(() => fixture[Symbol.asyncDispose]());

async function publish(content: string, as: 'current' | 'candidate' = 'current'): Promise<PolicyState> {
  const answer = await fixture.ask('alice', 'POST', '/v1/policy', { ...fixture.signed(content), as });
  expect(answer).toMatchObject({ status: 200 });
  return policyStateSchema.parse(answer.body);
}

async function rollBack(to: number) {
  return await fixture.ask('alice', 'POST', '/v1/policy/rollback', { to, reason: 'too wide' });
}

describe('a publishing is refused', () => {
  test('[P-policy-signed] without the signature of the author over these very bytes', async () => {
    const [one, other] = [fixture.signed('one'), fixture.signed('other')];
    for (const signature of [other.signature, `${one.signature.slice(0, -6)}AAAAAA`, 'none']) {
      const asked = await fixture.ask('alice', 'POST', '/v1/policy', { ...one, signature, as: 'current' });
      expect(asked).toMatchObject({ status: 403, body: { code: 'bundle_unsigned' } });
      const configuration = { tools: [], policy: { ...one, signature } };
      expect(await fixture.ask('alice', 'POST', '/v1/apply', configuration)).toMatchObject({
        status: 403,
        body: { code: 'bundle_unsigned' },
      });
    }
    expect((await fixture.ask('alice', 'GET', '/v1/policy')).body).toEqual({ versions: [], deciders: [] });
  });

  test('to everybody who is not an admin of every tenant', async () => {
    for (const person of ['otto', 'tina']) {
      const body = { ...fixture.signed('one'), as: 'current' };
      expect(await fixture.ask(person, 'POST', '/v1/policy', body)).toMatchObject({ status: 403 });
      expect(await fixture.ask(person, 'POST', '/v1/policy/rollback', { to: 1 })).toMatchObject({
        status: 403,
      });
      expect(await fixture.ask(person, 'DELETE', '/v1/policy/candidate')).toMatchObject({ status: 403 });
    }
    expect(await fixture.ask('otto', 'GET', '/v1/policy')).toMatchObject({ status: 200 });
  });

  test('as a rollback to a version that does not exist or is no longer kept', async () => {
    await publish('one');
    expect(await rollBack(2)).toMatchObject({ status: 404, body: { code: 'policy_version_unknown' } });
    for (let version = 2; version <= 12; version += 1) await publish(`edition ${version}`);
    expect(await rollBack(1)).toMatchObject({ status: 404, body: { code: 'policy_version_unknown' } });
    expect(await rollBack(3)).toMatchObject({ status: 200 });
  });
});

describe('a publishing', () => {
  test('[P-policy-publish] is recorded on CONTROL with the signed entry, so that version and digest can be verified', async () => {
    const auditor = await fixture.join('auditor');
    const recorded: Statement<'entry'>[] = [];
    await using _following = auditor.follow('CONTROL', async (batch) => {
      for (const { data } of batch) {
        const operation = controlSchema.parse(JSON.parse(new TextDecoder().decode(data)));
        if (operation.kind === 'policy' && operation.entry !== undefined)
          recorded.push(verifyStatement(operation.entry, 'entry', fixture.keyring, Date.now()));
      }
    });
    await publish('one');
    await publish('two');
    const back = await rollBack(1);
    expect(back).toMatchObject({ status: 200 });
    await eventually(() => recorded.length === 3);
    expect(recorded.map(({ bucket, key }) => `${bucket}/${key}`)).toEqual(Array(3).fill('policies/current'));
    expect(recorded.map(({ value }) => value)).toMatchObject([
      { version: 1, digest: sha256('one') },
      { version: 2, digest: sha256('two') },
      { version: 3, digest: sha256('one'), rollbackOf: 1 },
    ]);
  });

  test('[P-policy-publish] has a version of its own, also for old content, and publishing the same again makes no new version', async () => {
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

  test('puts a candidate into force, and then there is no candidate', async () => {
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

  test('keeps the bytes of the current policy, of the candidate and of the versions that a rollback may name, and no others', async () => {
    const decider = await fixture.join('decider');
    const kept = async (content: string) =>
      (await decider.blobs('bundles').get(bundleKey(sha256(content)))) !== undefined;
    await publish('watched', 'candidate');
    for (let edition = 1; edition <= 12; edition += 1) await publish(`edition ${edition}`);
    expect(await kept('watched')).toBe(true);
    expect([await kept('edition 1'), await kept('edition 2')]).toEqual([false, false]);
    expect([await kept('edition 3'), await kept('edition 12')]).toEqual([true, true]);
    await fixture.ask('alice', 'DELETE', '/v1/policy/candidate');
    expect(await kept('watched')).toBe(false);
  });

  test('[P-policy-newest] repairs what is unsigned in its bucket', async () => {
    await publish('one');
    const intruder = await fixture.join('console');
    const texts = intruder.records('policies', z.string());
    for (const key of ['current', 'v-1', 'v-99', 'candidate']) await texts.put(key, 'unsigned', 'any');
    await publish('one');
    const { entries, refused } = await intruder.entries('policies').survey();
    expect(refused).toEqual([]);
    expect(entries.map(({ key }) => key).sort()).toEqual(['current', 'v-1']);
  });
});
