import { gunzipSync, gzipSync } from 'node:zlib';
import { openBundle } from '@interlock/policy';
import { systemClock } from '@interlock/shell';
import { beforeAll, describe, expect, it } from 'vitest';
import { baseModules, buildWithOpa, entryOf } from './opa.fixture.ts';
import { bundleKey, Policies } from './policies.ts';

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
  const rule = 'package interlock.rules.all\nallow contains "Anything goes." if true';
  [strict, generous, boundless] = await Promise.all([
    buildWithOpa({ files: baseModules }),
    buildWithOpa({ files: baseModules, data: grants }),
    buildWithOpa({ files: baseModules, texts: [rule] }),
  ]);
});

const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
function ignore(): void {}

/** A store of bundles and the policies that read from it. */
function housed(): { blobs: Map<string, Uint8Array>; policies: Policies } {
  const blobs = new Map<string, Uint8Array>();
  const policies = new Policies({
    blobs: { get: async (key) => blobs.get(key) },
    clock: systemClock,
    log: silent,
    signal: AbortSignal.timeout(20_000),
  });
  return { blobs, policies };
}

describe('a bundle is refused', () => {
  const faulty = { code: 'configuration_invalid' };

  it('[P-policy-signed] when one byte of it was changed', () => {
    const tampered = Uint8Array.from(strict);
    tampered[tampered.length - 9] = (tampered[tampered.length - 9] ?? 0) ^ 1;
    expect(() => openBundle(entryOf(strict), tampered)).toThrow(expect.objectContaining(faulty));
  });

  it('when it is another bundle than the one named', () => {
    expect(() => openBundle(entryOf(strict), generous)).toThrow(expect.objectContaining(faulty));
  });

  it('when it is cut short, empty, or no archive', () => {
    const tar = gunzipSync(strict);
    const wrong = [
      gzipSync(tar.subarray(0, tar.length / 2)),
      gzipSync(new Uint8Array()),
      Buffer.from('policy'),
    ];
    for (const bytes of wrong)
      expect(() => openBundle(entryOf(bytes), bytes)).toThrow(expect.objectContaining(faulty));
  });

  it('when it unpacks to more than is taken', () => {
    const bomb = gzipSync(Buffer.alloc(65 * 1_048_576));
    expect(() => openBundle(entryOf(bomb), bomb)).toThrow(expect.objectContaining(faulty));
  });

  it('when it allows a call that names nobody and nothing', () => {
    expect(() => openBundle(entryOf(boundless), boundless)).toThrow(expect.objectContaining(faulty));
  });
});

describe('the policy in force', () => {
  it('is none before one was published', () => {
    expect(housed().policies.held).toBeUndefined();
  });

  it('[P-policy-signed] stays when a newer bundle is tampered with, malformed, or fails its canaries', async () => {
    const { blobs, policies } = housed();
    blobs.set(bundleKey(1), strict);
    await policies.offer(entryOf(strict, 1));
    blobs.set(bundleKey(2), generous);
    await policies.offer({ ...entryOf(generous, 2), digest: entryOf(strict).digest });
    expect(policies).toMatchObject({ held: { version: 1 }, rejectedVersion: 2 });
    blobs.set(bundleKey(3), boundless);
    await policies.offer(entryOf(boundless, 3));
    expect(policies).toMatchObject({ held: { version: 1 }, rejectedVersion: 3 });
    expect(policies.held?.policy.evaluate(call).verdict).toBe('deny');
  });

  it('is never an older one, even when the newer one was refused', async () => {
    const { blobs, policies } = housed();
    blobs.set(bundleKey(4), generous).set(bundleKey(5), strict);
    await policies.offer(entryOf(strict, 5));
    await policies.offer(entryOf(generous, 4));
    expect(policies.held).toMatchObject({ version: 5, digest: entryOf(strict).digest });
    expect(policies.held?.policy.evaluate(call).verdict).toBe('deny');
  });

  it('is replaced by a newer valid one', async () => {
    const { blobs, policies } = housed();
    blobs.set(bundleKey(1), strict).set(bundleKey(2), generous);
    await policies.offer(entryOf(strict, 1));
    expect(policies.held?.policy.evaluate(call).verdict).toBe('deny');
    await policies.offer(entryOf(generous, 2));
    expect(policies.held?.policy.evaluate(call).verdict).toBe('allow');
  });

  it('is waited for when its bytes arrive after its entry', async () => {
    const { blobs, policies } = housed();
    const loaded = policies.offer(entryOf(strict, 1));
    expect(policies.held).toBeUndefined();
    blobs.set(bundleKey(1), strict);
    await loaded;
    expect(policies.held).toMatchObject({ version: 1 });
  });

  it('[P-unsure-means-no] is none once it was removed', async () => {
    const { blobs, policies } = housed();
    blobs.set(bundleKey(1), generous);
    await policies.offer(entryOf(generous, 1));
    await policies.offer(undefined);
    expect(policies.held).toBeUndefined();
  });

  it('is none when it was removed while it was being fetched, and an older one does not come back', async () => {
    const { blobs, policies } = housed();
    blobs.set(bundleKey(1), generous).set(bundleKey(2), generous);
    const loading = policies.offer(entryOf(generous, 2));
    await policies.offer(undefined);
    await loading;
    await policies.offer(entryOf(generous, 1));
    expect(policies.held).toBeUndefined();
  });
});
