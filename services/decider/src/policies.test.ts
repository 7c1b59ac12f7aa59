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

/** The policies of one decider on a real bus, and the console that writes the entries. */
interface Replica extends AsyncDisposable {
  console: Bus;
  policies: Policies;
  newest: EntryWatch<'policies'>;
  author: AuthorKey['sign'];
  controlEvents: () => Promise<Control[]>;
  /** Publishes as the console would; `more` is laid over the entry. */
  publish(bytes: Uint8Array, version: number, more?: Partial<PolicyEntry>): Promise<void>;
}

const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
function ignore(): void {}

let testBus: TestBus;
let replica: Replica;

beforeEach(async () => {
  testBus = await startTestBus();
  replica = await startReplica(testBus);
});

afterEach(async () => {
  await replica[Symbol.asyncDispose]();
  await testBus[Symbol.asyncDispose]();
});

async function startReplica({ keyring, keysFolder, busOf }: TestBus): Promise<Replica> {
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
    onOutcome: (outcome) => reporter.report(outcome),
  });
  await eventually(() => newest.current);
  reporter.start(policies);
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
    controlEvents: async () => {
      const { lastSequence } = await auditor.streamState('CONTROL');
      const events = Array.from({ length: lastSequence }, (_, index) =>
        auditor.readSequence('CONTROL', index + 1),
      );
      return (await Promise.all(events)).flatMap((event) =>
        event === undefined ? [] : [controlSchema.parse(JSON.parse(Buffer.from(event.data).toString()))],
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

const version = (expected: number) => () => replica.policies.current?.version === expected;
const refusedVersion = (expected: number) => () => replica.policies.rejected[0]?.version === expected;

/** Waits until the decider published an event on CONTROL. */
async function published(expected: Partial<Control>): Promise<void> {
  await eventually(async () =>
    (await replica.controlEvents()).some((event) =>
      Object.entries(expected).every(([key, value]) => event[key as keyof Control] === value),
    ),
  );
}

describe('the policy in force stays, and the refusal is published, when the newest bundle', () => {
  beforeEach(async () => {
    await replica.publish(strict, 1);
    await eventually(version(1));
  });

  test('[P-policy-signed] is not the one its entry names', async () => {
    await replica.publish(generous, 2, { digest: sha256(strict), bytes: strict.byteLength });
    // Bytes of another content under the digest that is named.
    await replica.console.blobs('bundles').put(bundleKey(sha256('other')), generous);
    await replica.publish(strict, 3, { digest: sha256('other') });
    await eventually(refusedVersion(3));
    expect(replica.policies.current?.version).toBeLessThan(3);
    await published({ kind: 'policy', verb: 'refused', name: 'current v-3', by: 'rep_1' });
  });

  test('[P-policy-signed] is signed by a key that is not the author’s', async () => {
    const stranger = createKey('author', 'sign', Date.now() + 60_000);
    const { sign } = authorKeySchema.parse({
      holder: 'author',
      sign: { keyId: stranger.certified.keyId, privateKey: stranger.privateKey },
    });
    await replica.publish(generous, 2, { signature: signBundle(generous, sign, Date.now()) });
    await eventually(refusedVersion(2));
    const console = await testBus.keysOf('console');
    await replica.publish(generous, 3, { signature: signBundle(generous, console.sign, Date.now()) });
    await eventually(refusedVersion(3));
    await replica.publish(generous, 4, { signature: signBundle(strict, replica.author, Date.now()) });
    await eventually(refusedVersion(4));
    expect(replica.policies.current?.version).toBe(1);
    for (const name of ['current v-2', 'current v-3', 'current v-4'])
      await published({ verb: 'refused', name });
  });

  test('[P-policy-signed] allows a call without a caller and a tool', async () => {
    await replica.publish(boundless, 2);
    await eventually(refusedVersion(2));
    expect(replica.policies.current?.policy.evaluate(call).verdict).toBe('deny');
    await published({ verb: 'refused', name: 'current v-2' });
  });

  test.each([
    ['is cut short', () => gzipSync(gunzipSync(strict).subarray(0, 2_048))],
    ['is empty', () => gzipSync(new Uint8Array())],
    ['is not an archive', () => Buffer.from('policy')],
    ['unpacks to more than a decider takes', () => gzipSync(Buffer.alloc(65 * 1_048_576))],
  ])('%s', async (_, made) => {
    await replica.publish(made(), 2);
    await eventually(refusedVersion(2));
    expect(replica.policies.current?.version).toBe(1);
    await replica.publish(generous, 3);
    await eventually(version(3));
    expect(replica.policies.rejected).toEqual([]);
  });
});

describe('nothing is decided', () => {
  test('before a policy was published', async () => {
    await expect(replica.policies.inForce()).rejects.toMatchObject({ code: 'policy_missing' });
  });

  test('[P-unsure-means-no] once the policy was removed', async () => {
    await replica.publish(generous, 1);
    await eventually(version(1));
    await replica.console.entries('policies').remove('current');
    await eventually(() => replica.policies.current === undefined);
    await expect(replica.policies.inForce()).rejects.toMatchObject({ code: 'policy_missing' });
  });

  test('while the bytes that the entry names are not stored, until they are', async () => {
    const entry = entryOf(strict, 1, replica.author);
    await replica.console.entries('policies').put('current', entry);
    await eventually(() => replica.newest.get('current') !== undefined);
    expect(replica.policies.current).toBeUndefined();
    await replica.console.blobs('bundles').put(bundleKey(entry.digest), strict);
    await eventually(version(1));
  });
});

describe('with a text in the bucket that the console did not write', () => {
  let observer: Observer;

  beforeEach(async () => {
    const { busSeed } = await testBus.keysOf('provisioner');
    observer = await connectObserver({ url: testBus.nats.url, seed: busSeed });
    await replica.publish(strict, 1);
    await replica.publish(generous, 2);
    await eventually(version(2));
  });
  afterEach(() => observer[Symbol.asyncDispose]());

  test.each([
    ['unsigned in the place of the newest entry', 'current', 'not signed by anybody'],
    ['unsigned in the place of an earlier version', 'v-1', 'not signed by anybody'],
    ['unsigned under a name of its own', 'v-99', 'not signed by anybody'],
    ['and the newest entry deleted', 'current', undefined],
    ['and a version deleted', 'v-2', undefined],
  ])('[P-policy-newest] %s, nothing is decided until management signs again', async (_, key, text) => {
    await observer.putText('policies', key, text);
    await eventually(() => replica.policies.doubt !== undefined);
    expect(replica.policies.current).toBeUndefined();
    await expect(replica.policies.inForce()).rejects.toMatchObject({ code: 'policy_missing' });
    await published({ verb: 'refused', name: key, by: 'rep_1' });
    await replica.publish(strict, 3);
    // Publishing replaces a text in the place of the newest entry, whether the watch has read it or not.
    for (const refused of replica.newest.refused.keys())
      if (refused !== 'current') await replica.console.entries('policies').remove(refused);
    await eventually(version(3));
  });

  test('[P-policy-newest] an older entry in the place of the newest changes nothing, and a decider that starts then decides nothing', async () => {
    const older = await observer.textAt('policies', 'current');
    await replica.publish(strict, 3);
    await eventually(version(3));
    await observer.putText('policies', 'current', older);
    await published({ verb: 'refused', name: 'current', reason: 'an older entry was put in its place' });
    expect(replica.policies.current?.version).toBe(3);
    await using late = await startReplica(testBus);
    await eventually(() => late.policies.doubt?.includes('version 3 was published'));
    await expect(late.policies.inForce()).rejects.toMatchObject({ code: 'policy_missing' });
  });

  test('[P-policy-newest] all of it lost, the console publishes version 1 again and the deciders use it', async () => {
    for (const key of ['current', 'v-1', 'v-2']) await observer.putText('policies', key, 'unsigned');
    await eventually(() => replica.newest.refused.size === 3);
    await replica.console.entries('policies').remove('v-2');
    await replica.publish(strict, 1);
    await eventually(version(1));
    expect((await replica.policies.inForce()).digest).toBe(sha256(strict));
  });

  test('unsigned in the place of the candidate, the policy in force still decides', async () => {
    await observer.putText('policies', 'candidate', 'not signed by anybody');
    await published({ verb: 'refused', name: 'candidate' });
    expect((await replica.policies.inForce()).version).toBe(2);
  });
});

describe('a candidate', () => {
  test('is loaded beside the policy until it is removed', async () => {
    await replica.publish(strict, 1);
    await replica.console.blobs('bundles').put(bundleKey(sha256(generous)), generous);
    await replica.console.entries('policies').put('candidate', entryOf(generous, 2, replica.author));
    await eventually(
      () => replica.policies.candidate?.version === 2 && replica.policies.current?.version === 1,
    );
    await replica.console.entries('policies').remove('candidate');
    await eventually(() => replica.policies.candidate === undefined);
    expect(replica.policies.current?.version).toBe(1);
  });
});

describe('a newer policy', () => {
  test('replaces the one in use, and that is published', async () => {
    await replica.publish(strict, 1);
    await eventually(version(1));
    expect((await replica.policies.inForce()).policy.evaluate(call).verdict).toBe('deny');
    await replica.publish(generous, 2);
    await eventually(version(2));
    await published({ verb: 'accepted', name: 'current v-2', by: 'rep_1' });
    const policyStatuses = replica.console.records('policyStatuses', policyStatusSchema);
    await eventually(async () => (await policyStatuses.get('rep_1'))?.value.current?.version === 2);
  });
});
