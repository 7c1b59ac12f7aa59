/**
 * Publishing while traffic flows. Whoever holds the console's keys can put any entry before the deciders: here the
 * test does, past the console's door, and the deciders refuse for themselves.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Bus, Observer } from '@interlock/bus';
import {
  type AuthorKey,
  authorKeySchema,
  bundleKey,
  createKey,
  decisionRecordSchema,
  type PolicyEntry,
  policyStateSchema,
  sha256,
} from '@interlock/contracts';
import { signBundle } from '@interlock/policy';
import { buildPolicy, eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { authorOf, joinBus, observeBus } from './inside.ts';
import { type Line, startLine } from './line.ts';
import { startTraffic } from './policy-traffic.ts';

const START_MS = 120_000;
const TEST_MS = 90_000;
const HOUR_MS = 3_600_000;
const DECIDERS = 2;
const config = { allow_listed: [{ tenants: ['acme', 'rival'], tools: ['*'] }] };

let line: Line;
let author: AuthorKey['sign'];
let consoleBus: Bus;
let observer: Observer;
/** Two that allow everything, one that denies what writes, and one that allows what names nobody and nothing. */
let [one, other, strict, boundless]: Uint8Array[] = [];

beforeAll(async () => {
  line = await startLine({ replicas: { decider: DECIDERS } });
  [author, consoleBus, observer] = await Promise.all([
    authorOf(line.interlock),
    joinBus(line.interlock, 'console'),
    observeBus(line.interlock),
  ]);
  [one, other, strict, boundless] = await Promise.all([
    buildPolicy({ data: { config, edition: 'one' } }),
    buildPolicy({ data: { config, edition: 'other' } }),
    buildPolicy({
      data: { config },
      rules: { no_writes: 'deny contains "No." if input.tool.name in {"write", "ask"}' },
    }),
    buildPolicy({ data: { config }, rules: { all: 'allow contains "Anything goes." if true' } }),
  ]);
}, START_MS);
afterAll(async () => {
  await consoleBus?.[Symbol.asyncDispose]();
  await observer?.[Symbol.asyncDispose]();
  await line?.[Symbol.asyncDispose]();
}, START_MS);

function bytesOf(bytes: Uint8Array | undefined): Uint8Array {
  return bytes ?? expect.unreachable();
}

async function stateOf() {
  return policyStateSchema.parse((await line.person('alice').get('/v1/policy')).body);
}

/** Publishes through the console's door, and returns the entry once every decider took it. */
async function publish(bytes: Uint8Array | undefined, as: 'current' | 'candidate' = 'current') {
  const bundle = Buffer.from(bytesOf(bytes)).toString('base64');
  const signature = signBundle(bytesOf(bytes), author, Date.now());
  const answer = await line.person('alice').post('/v1/policy', { bundle, signature, as });
  expect(answer.status).toBe(200);
  return await untilTaken(policyStateSchema.parse(answer.body)[as], as);
}

async function untilTaken(entry: PolicyEntry | undefined, as: 'current' | 'candidate' = 'current') {
  const { version } = entry ?? expect.unreachable();
  await eventually(async () => {
    const { deciders } = await stateOf();
    return deciders.length === DECIDERS && deciders.every((decider) => decider[as]?.version === version);
  });
  return entry ?? expect.unreachable();
}

/** Puts an entry before the deciders with the console's own signature: no door stands in the way. */
async function smuggle(content: Uint8Array, more: Partial<PolicyEntry> = {}): Promise<number> {
  const { versions } = await stateOf();
  const version = (versions[0]?.version ?? 0) + 1;
  const entry = {
    ...{
      version,
      digest: sha256(content),
      bytes: content.byteLength,
      publishedAt: Date.now(),
      by: 'mallory',
    },
    signature: signBundle(content, author, Date.now()),
    ...more,
  };
  await consoleBus.blobs('bundles').put(bundleKey(entry.digest), content);
  await consoleBus.entries('policies').put('current', entry);
  await consoleBus.entries('policies').put(`v-${version}`, entry);
  return version;
}

const readinessSchema = z.looseObject({
  ready: z.boolean(),
  facts: z.record(z.string(), z.union([z.string(), z.number()])),
});

/** What each decider says of itself at /readyz. */
async function readiness() {
  const deciders = line.interlock.services.filter(({ name }) => name.startsWith('decider'));
  expect(deciders).toHaveLength(DECIDERS);
  return await Promise.all(
    deciders.map(async ({ healthUrl }) =>
      readinessSchema.parse(await (await fetch(new URL('/readyz', healthUrl))).json()),
    ),
  );
}

const foundSchema = z.looseObject({
  records: z.array(z.looseObject({ event: z.looseObject({ name: z.string() }) })),
});

/** Waits until the audit holds what every decider told of an entry. */
async function untilAudited(step: string, name: string): Promise<void> {
  await eventually(async () => {
    const { body } = await line.person('alice').get(`/v1/audit/search?step=${step}&limit=1000`);
    const { records } = foundSchema.parse(body);
    return records.filter(({ event }) => event.name === name).length >= DECIDERS;
  });
}

const shownSchema = z.looseObject({
  records: z.array(
    z.looseObject({
      step: z.string(),
      evidence: z.looseObject({ decision: decisionRecordSchema.optional() }).optional(),
    }),
  ),
});

/** Returns the decision by which a call was carried out, once the audit holds it. */
async function decisionOf(call: string | undefined) {
  return await eventually(async () => {
    const { body } = await line.person('alice').get(`/v1/audit/calls/${call}`);
    const { records } = shownSchema.parse(body);
    return records.find(({ step }) => step === 'started')?.evidence?.decision;
  });
}

describe('a bundle that may not decide, put before the deciders while traffic flows', () => {
  const strangers = authorKeySchema.parse({
    holder: 'author',
    sign: { keyId: 'sig_stranger', privateKey: createKey('author', 'sign', Date.now() + HOUR_MS).privateKey },
  }).sign;

  test.each([
    ['tampered with', () => smuggle(bytesOf(strict), { digest: sha256('another') })],
    [
      'not signed by the author',
      () => smuggle(bytesOf(strict), { signature: signBundle(bytesOf(strict), strangers, Date.now()) }),
    ],
    ['failing its canaries', () => smuggle(bytesOf(boundless))],
  ])(
    '[P-policy-refused] %s, is refused: the policy before it decides on, and everybody is told',
    async (_, put) => {
      const before = await publish((await stateOf()).current?.digest === sha256(bytesOf(one)) ? other : one);
      const traffic = startTraffic(line);
      await traffic.pass(20);
      const version = await put();
      await eventually(async () =>
        (await readiness()).every(
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
      expect((await decisionOf(flown.at(-1)?.answer.body.call)).policyVersion).toBe(before.version);
      await untilAudited('policy.refused', `current v-${version}`);
      const { deciders } = await stateOf();
      expect(deciders.flatMap(({ rejected }) => rejected.map((reject) => reject.version))).toEqual([
        version,
        version,
      ]);
    },
    TEST_MS,
  );

  test(
    '[P-policy-refused] [P-policy-newest] older, is refused: what is newer decides on, and who starts then decides nothing until management signs again',
    async () => {
      await publish(one);
      const older = await observer.textAt('policies', 'current');
      const newer = await publish(other);
      const traffic = startTraffic(line);
      await traffic.pass(20);
      await observer.putText('policies', 'current', older);
      await untilAudited('policy.refused', 'current');
      await traffic.pass(20);
      const flown = await traffic.stop();
      expect(flown.filter(({ answer }) => answer.body.outcome !== 'succeeded')).toEqual([]);
      expect((await decisionOf(flown.at(-1)?.answer.body.call)).policyVersion).toBe(newer.version);
      await untilAudited('policy.accepted', `current v-${newer.version}`);

      line.interlock.signal('decider-2', 'SIGTERM');
      const late = await eventually(async () => (await readiness()).find(({ ready }) => !ready), START_MS);
      expect(late.facts['policyVersion']).toBeUndefined();
      await publish(one);
      await eventually(async () => (await readiness()).every(({ ready }) => ready));
    },
    TEST_MS,
  );

  test(
    '[P-policy-newest] a text that nobody signed stops every call, and publishing again mends it',
    async () => {
      await publish(one);
      await observer.putText('policies', 'current', 'not signed by anybody');
      await eventually(async () => (await readiness()).every(({ ready }) => !ready));
      expect(await line.call('read', { id: 1 })).toMatchObject({
        status: 503,
        body: { code: 'policy_missing' },
      });
      await publish(other);
      expect(await line.call('read', { id: 1 })).toMatchObject({ status: 200 });
    },
    TEST_MS,
  );
});

describe('a bundle at the console’s door', () => {
  test('[P-policy-signed] is refused when its signature is a stranger’s or for another bundle', async () => {
    const [first, second] = [bytesOf(one), bytesOf(other)];
    const bundle = Buffer.from(first).toString('base64');
    const before = await stateOf();
    for (const signature of [signBundle(second, author, Date.now()), 'none'])
      expect(
        await line.person('alice').post('/v1/policy', { bundle, signature, as: 'current' }),
      ).toMatchObject({ status: 403, body: { code: 'bundle_unsigned' } });
    expect(
      await line.person('bob').post('/v1/policy', {
        bundle,
        signature: signBundle(first, author, Date.now()),
        as: 'current',
      }),
    ).toMatchObject({ status: 403, body: { code: 'role_missing' } });
    expect(await line.person('alice').post('/v1/policy/rollback', { to: 9_999 })).toMatchObject({
      status: 404,
      body: { code: 'policy_version_unknown' },
    });
    expect((await stateOf()).current).toEqual(before.current);
  });
});

test(
  '[P-policy-reload] a dozen publishings and rollbacks under traffic lose no call and decide none twice, each by a policy that was in force',
  async () => {
    const decided = new Map<string, number[]>();
    const bodySchema = z.looseObject({
      call: z.looseObject({ call: z.string() }),
      decision: z.looseObject({ policyVersion: z.int() }),
    });
    observer.onPublished(({ step, text }) => {
      if (step !== 'decided') return;
      const { call, decision } = bodySchema.parse(JSON.parse(text));
      decided.set(call.call, [...(decided.get(call.call) ?? []), decision.policyVersion]);
    });
    let inForce = (await publish(one)).version;
    const first = inForce;
    const traffic = startTraffic(line, () => inForce);
    for (let round = 0; round < 6; round += 1) {
      await traffic.pass(10);
      const published = await publish(other);
      inForce = published.version;
      await traffic.pass(10);
      const answer = await line.person('alice').post('/v1/policy/rollback', { to: first });
      const back = await untilTaken(policyStateSchema.parse(answer.body).current);
      expect(back).toMatchObject({ rollbackOf: first, digest: sha256(bytesOf(one)) });
      inForce = back.version;
    }
    await traffic.pass(10);
    const flown = await traffic.stop();
    expect(inForce).toBe(first + 12);
    expect(flown.filter(({ answer }) => answer.body.outcome !== 'succeeded')).toEqual([]);
    const arrived = line.upstream.requests.map(({ body }) => body);
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

const MAIN = fileURLToPath(new URL('../packages/cli/src/main.ts', import.meta.url));

/** Runs `interlock policy` as alice would, and returns how it ended. */
async function run(...argv: string[]): Promise<{ code: number; said: unknown; complaint: string }> {
  const child = spawn(
    process.execPath,
    [MAIN, 'policy', ...argv, '--json', '--data', line.interlock.data, '--config', line.config],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code, said: out === '' ? undefined : JSON.parse(out), complaint: err };
}

test(
  '[P-policy-publish] a policy is published, compared, and rolled back from the command line, which ends with 1 when a decider refused',
  async () => {
    const folder = path.join(line.config, 'policies');
    const first = await run('publish', folder, '--reason', 'as it was');
    expect(first).toMatchObject({ code: 0, said: { changed: true } });
    expect(await run('publish', folder)).toMatchObject({ code: 0, said: { changed: false } });
    const { version } = versionSchema.parse(first.said);

    const rule = path.join(folder, 'rules', 'quiet');
    await mkdir(rule, { recursive: true });
    await writeFile(
      path.join(rule, 'quiet.rego'),
      'package interlock.rules.quiet\n\nimport rego.v1\n\ndeny contains "Quiet." if input.tool.name == "bare"\n',
    );
    const diff = { code: 0, said: { rules: { added: ['quiet'], removed: [], changed: [] } } };
    expect(await run('diff', String(version), folder)).toMatchObject(diff);
    const second = await run('publish', '--reason', 'quiet');
    expect(second).toMatchObject({ code: 0, said: { version: version + 1, changed: true } });
    expect(await run('diff', String(version), String(version + 1))).toMatchObject(diff);
    expect(await line.call('bare', { text: 'x' })).toMatchObject({ status: 403 });

    expect(await run('rollback', '--reason', 'too quiet')).toMatchObject({
      code: 0,
      said: { version: version + 2, rollbackOf: version },
    });
    expect((await line.call('bare', { text: 'x' })).status).toBe(200);
    expect(await run('status')).toMatchObject({
      code: 0,
      said: { current: { version: version + 2, reason: 'too quiet' }, deciders: [{}, {}] },
    });
    const bad = await smuggle(bytesOf(boundless));
    const refused = await run('rollback', '--to', String(bad));
    expect(refused).toMatchObject({ code: 1, said: undefined });
    expect(refused.complaint).toContain('bundle_rejected');
    expect((await line.call('bare', { text: 'x' })).status).toBe(200);
  },
  TEST_MS,
);
const versionSchema = z.looseObject({ version: z.int() });

test(
  '[P-policy-shadow] a candidate that denies changes no call, and only its disagreements are on record',
  async () => {
    const current = await publish(one);
    const candidate = await publish(strict, 'candidate');
    const [wrote, read] = await Promise.all([
      line.call('write', { text: 'x' }),
      line.call('read', { id: 1 }),
    ]);
    expect([wrote.body.outcome, read.body.outcome]).toEqual(['succeeded', 'succeeded']);
    expect(await decisionOf(wrote.body.call)).toMatchObject({
      verdict: 'allow',
      policyVersion: current.version,
      shadow: {
        verdict: 'deny',
        policyVersion: candidate.version,
        policyDigest: candidate.digest,
        reasons: [{ rule: 'no_writes', text: 'No.' }],
      },
    });
    expect((await decisionOf(read.body.call)).shadow).toBeUndefined();

    const { body: held } = await line.call('ask', { text: 'x' });
    await line.person('bob').answer(held.call ?? '', 'approve');
    expect((await line.look(held.call ?? '', { waitSeconds: 20 })).body.outcome).toBe('succeeded');
    expect(await decisionOf(held.call)).toMatchObject({ verdict: 'allow', shadow: { verdict: 'deny' } });
    expect(await run('shadow', 'report', '--since', '1h')).toMatchObject({
      code: 0,
      said: {
        disagreements: 2,
        groups: [
          { tool: 'write', from: 'allow', to: 'deny', rulesNow: ['no_writes'], calls: 1 },
          { tool: 'ask', from: 'ask', to: 'deny', rulesNow: ['no_writes'], calls: 1 },
        ].map((group) => expect.objectContaining(group)),
      },
    });
    await line.person('alice').delete('/v1/policy/candidate');
    await eventually(async () =>
      (await stateOf()).deciders.every((decider) => decider.candidate === undefined),
    );
    const after = await line.call('write', { text: 'y' });
    expect((await decisionOf(after.body.call)).shadow).toBeUndefined();
  },
  TEST_MS,
);
