import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Bus, EntryWatch } from '@interlock/bus';
import {
  bundleKey,
  type Control,
  controlSchema,
  type PolicyEntry,
  policyEntrySchema,
  policyStatusSchema,
  sha256,
} from '@interlock/contracts';
import { type AuthorKey, authorKeySchema, createKey } from '@interlock/keys';
import { signBundle } from '@interlock/policy';
import { systemClock } from '@interlock/shell';
import {
  buildPolicy,
  connectObserver,
  eventually,
  type Observer,
  startTestBus,
  type TestBus,
} from '@interlock/testkit';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Policies } from './policies.ts';
import { PolicyStatusReporter } from './policy-status.ts';

const call = {
  subject: { tenant: 'acme', agent: 'reader', user: 'ada', roles: [] },
  action: { name: 'execute_tool' },
  tool: { name: 'read_file', labels: [] },
  arguments: {},
};

let strict: Uint8Array;
let generous: Uint8Array;
let boundless: Uint8Array;

beforeAll(async () => {
  const grants = { config: { allow_listed: [{ agents: ['*'], tools: ['*'] }] } };
  [strict, generous, boundless] = await Promise.all([
    buildPolicy(),
    buildPolicy({ data: grants }),
    buildPolicy({ rules: { all: 'allow contains "Anything goes." if true' } }),
  ]);
});

/** A decider's policies on a real bus, and the console that writes there. */
interface Place extends AsyncDisposable {
  console: Bus;
  policies: Policies;
  newest: EntryWatch<'policies'>;
  author: AuthorKey['sign'];
  told: () => Promise<Control[]>;
  /** Publishes as the console would; `more` is laid over the entry. */
  publish(bytes: Uint8Array, version: number, more?: Partial<PolicyEntry>): Promise<void>;
}

const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
function ignore(): void {}

let house: TestBus;
let place: Place;

beforeEach(async () => {
  house = await startTestBus();
  place = await placed(house);
});

afterEach(async () => {
  await place[Symbol.asyncDispose]();
  await house[Symbol.asyncDispose]();
});

async function placed({ keyring, keysFolder, busOf }: TestBus): Promise<Place> {
  await using stack = new AsyncDisposableStack();
  const stopping = new AbortController();
  stack.defer(() => stopping.abort());
  const [bus, console, auditor] = [await busOf('decider'), await busOf('console'), await busOf('auditor')];
  const newest = stack.use(await bus.entries('policies').watch());
  const policyStatuses = bus.records('policyStatuses', policyStatusSchema);
  const reporter = stack.use(
    new PolicyStatusReporter({ replica: 'rep_1', bus, policyStatuses, clock: systemClock, log: silent }),
  );
  const policies = new Policies({
    newest,
    blobs: bus.blobs('bundles'),
    keyring,
    clock: systemClock,
    log: silent,
    signal: stopping.signal,
    judged: (judgement) => reporter.judged(judgement),
  });
  await eventually(() => newest.current);
  reporter.follow(policies);
  const { sign } = authorKeySchema.parse(
    JSON.parse(await readFile(path.join(keysFolder, 'author.json'), 'utf8')),
  );
  const owned = stack.move();
  return {
    console,
    policies,
    newest,
    author: sign,
    publish: async (bytes, version, more) => {
      await console.blobs('bundles').put(bundleKey(sha256(bytes)), bytes);
      const entry = { ...entryOf(bytes, version, sign), ...more };
      await console.entries('policies').put('current', entry);
      await console.entries('policies').put(`v-${version}`, entry);
    },
    told: async () => {
      const { lastSequence } = await auditor.streamState('CONTROL');
      const acts = Array.from({ length: lastSequence }, (_, index) =>
        auditor.readSequence('CONTROL', index + 1),
      );
      return (await Promise.all(acts)).flatMap((act) =>
        act === undefined ? [] : [controlSchema.parse(JSON.parse(Buffer.from(act.data).toString()))],
      );
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function entryOf(bytes: Uint8Array, version: number, author: AuthorKey['sign']): PolicyEntry {
  return policyEntrySchema.parse({
    version,
    digest: sha256(bytes),
    bytes: bytes.byteLength,
    signature: signBundle(bytes, author, Date.now()),
    publishedAt: Date.now(),
    by: 'ada',
  });
}

const version = (expected: number) => () => place.policies.held?.version === expected;
const refusedVersion = (expected: number) => () => place.policies.rejected[0]?.version === expected;

/** Waits until the decider told of something on CONTROL. */
async function toldOf(expected: Partial<Control>): Promise<void> {
  await eventually(async () =>
    (await place.told()).some((act) =>
      Object.entries(expected).every(([key, value]) => act[key as keyof Control] === value),
    ),
  );
}

describe('the policy in force stays, and the refusal is told, when the newest bundle', () => {
  beforeEach(async () => {
    await place.publish(strict, 1);
    await eventually(version(1));
  });

  test('[P-policy-signed] is not the one its entry names', async () => {
    await place.publish(generous, 2, { digest: sha256(strict), bytes: strict.byteLength });
    // Bytes of another content under the digest that is named.
    await place.console.blobs('bundles').put(bundleKey(sha256('other')), generous);
    await place.publish(strict, 3, { digest: sha256('other') });
    await eventually(refusedVersion(3));
    expect(place.policies.held?.version).toBeLessThan(3);
    await toldOf({ kind: 'policy', verb: 'refused', name: 'current v-3', by: 'rep_1' });
  });

  test('[P-policy-signed] is signed by a key that is not the author’s', async () => {
    const stranger = createKey('author', 'sign', Date.now() + 60_000);
    const { sign } = authorKeySchema.parse({
      holder: 'author',
      sign: { keyId: stranger.certified.keyId, privateKey: stranger.privateKey },
    });
    await place.publish(generous, 2, { signature: signBundle(generous, sign, Date.now()) });
    await eventually(refusedVersion(2));
    const console = await house.keysOf('console');
    await place.publish(generous, 3, { signature: signBundle(generous, console.sign, Date.now()) });
    await eventually(refusedVersion(3));
    await place.publish(generous, 4, { signature: signBundle(strict, place.author, Date.now()) });
    await eventually(refusedVersion(4));
    expect(place.policies.held?.version).toBe(1);
    for (const name of ['current v-2', 'current v-3', 'current v-4']) await toldOf({ verb: 'refused', name });
  });

  test('[P-policy-signed] allows a call that names nobody and nothing', async () => {
    await place.publish(boundless, 2);
    await eventually(refusedVersion(2));
    expect(place.policies.held?.policy.evaluate(call).verdict).toBe('deny');
    await toldOf({ verb: 'refused', name: 'current v-2' });
  });

  test.each([
    ['is cut short', () => gzipSync(gunzipSync(strict).subarray(0, 2_048))],
    ['is empty', () => gzipSync(new Uint8Array())],
    ['is no archive', () => Buffer.from('policy')],
    ['unpacks to more than is taken', () => gzipSync(Buffer.alloc(65 * 1_048_576))],
  ])('%s', async (_, made) => {
    await place.publish(made(), 2);
    await eventually(refusedVersion(2));
    expect(place.policies.held?.version).toBe(1);
    await place.publish(generous, 3);
    await eventually(version(3));
    expect(place.policies.rejected).toEqual([]);
  });
});

describe('nothing is decided', () => {
  test('before a policy was published', async () => {
    await expect(place.policies.inForce()).rejects.toMatchObject({ code: 'policy_missing' });
  });

  test('[P-unsure-means-no] once the policy was removed', async () => {
    await place.publish(generous, 1);
    await eventually(version(1));
    await place.console.entries('policies').remove('current');
    await eventually(() => place.policies.held === undefined);
    await expect(place.policies.inForce()).rejects.toMatchObject({ code: 'policy_missing' });
  });

  test('while the entry stands and its bytes do not, until they do', async () => {
    const entry = entryOf(strict, 1, place.author);
    await place.console.entries('policies').put('current', entry);
    await eventually(() => place.newest.get('current') !== undefined);
    expect(place.policies.held).toBeUndefined();
    await place.console.blobs('bundles').put(bundleKey(entry.digest), strict);
    await eventually(version(1));
  });
});

describe('with a raw text in the bucket', () => {
  let observer: Observer;

  beforeEach(async () => {
    const { busSeed } = await house.keysOf('provisioner');
    observer = await connectObserver({ url: house.nats.url, seed: busSeed });
    await place.publish(strict, 1);
    await place.publish(generous, 2);
    await eventually(version(2));
  });
  afterEach(() => observer[Symbol.asyncDispose]());

  test.each([
    ['unsigned in the place of the newest entry', 'current', 'not signed by anybody'],
    ['unsigned in the place of an earlier version', 'v-1', 'not signed by anybody'],
    ['unsigned under a name of its own', 'v-99', 'not signed by anybody'],
    ['and the newest entry taken away', 'current', undefined],
    ['and a version taken away', 'v-2', undefined],
  ])('[P-policy-newest] %s, nothing is decided until management signs again', async (_, key, text) => {
    await observer.putText('policies', key, text);
    await eventually(() => place.policies.doubt !== undefined);
    expect(place.policies.held).toBeUndefined();
    await expect(place.policies.inForce()).rejects.toMatchObject({ code: 'policy_missing' });
    await toldOf({ verb: 'refused', name: key, by: 'rep_1' });
    await place.publish(strict, 3);
    // What stands in the place of the newest entry is replaced by the publishing, whether it was seen yet or not.
    for (const refused of place.newest.refused.keys())
      if (refused !== 'current') await place.console.entries('policies').remove(refused);
    await eventually(version(3));
  });

  test('[P-policy-newest] an older entry in the place of the newest changes nothing, and who starts then decides nothing', async () => {
    const older = await observer.textAt('policies', 'current');
    await place.publish(strict, 3);
    await eventually(version(3));
    await observer.putText('policies', 'current', older);
    await toldOf({ verb: 'refused', name: 'current', reason: 'an older entry was put in its place' });
    expect(place.policies.held?.version).toBe(3);
    await using late = await placed(house);
    await eventually(() => late.policies.doubt?.includes('version 3 was published'));
    await expect(late.policies.inForce()).rejects.toMatchObject({ code: 'policy_missing' });
  });

  test('[P-policy-newest] all of it lost, management begins anew and the deciders follow', async () => {
    for (const key of ['current', 'v-1', 'v-2']) await observer.putText('policies', key, 'unsigned');
    await eventually(() => place.newest.refused.size === 3);
    await place.console.entries('policies').remove('v-2');
    await place.publish(strict, 1);
    await eventually(version(1));
    expect((await place.policies.inForce()).digest).toBe(sha256(strict));
  });

  test('unsigned in the place of the candidate, the policy decides on', async () => {
    await observer.putText('policies', 'candidate', 'not signed by anybody');
    await toldOf({ verb: 'refused', name: 'candidate' });
    expect((await place.policies.inForce()).version).toBe(2);
  });
});

describe('a candidate', () => {
  test('stands beside the policy until it is taken away', async () => {
    await place.publish(strict, 1);
    await place.console.blobs('bundles').put(bundleKey(sha256(generous)), generous);
    await place.console.entries('policies').put('candidate', entryOf(generous, 2, place.author));
    await eventually(() => place.policies.candidate?.version === 2 && place.policies.held?.version === 1);
    await place.console.entries('policies').remove('candidate');
    await eventually(() => place.policies.candidate === undefined);
    expect(place.policies.held?.version).toBe(1);
  });
});

describe('a newer policy', () => {
  test('replaces the one held, and is told of', async () => {
    await place.publish(strict, 1);
    await eventually(version(1));
    expect((await place.policies.inForce()).policy.evaluate(call).verdict).toBe('deny');
    await place.publish(generous, 2);
    await eventually(version(2));
    await toldOf({ verb: 'accepted', name: 'current v-2', by: 'rep_1' });
    const policyStatuses = place.console.records('policyStatuses', policyStatusSchema);
    await eventually(async () => (await policyStatuses.get('rep_1'))?.value.current?.version === 2);
  });
});
