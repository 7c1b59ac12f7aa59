import { gunzipSync, gzipSync } from 'node:zlib';
import { Fault, sha256 } from '@interlock/contracts';
import { type AuthorKey, authorKeySchema, createKey, Keyring } from '@interlock/keys';
import { beforeAll, describe, expect, test } from 'vitest';
import { type LoadedPolicy, openBundle, signBundle, verifyBundle } from './bundle.ts';
import { buildWithOpa } from './opa.fixture.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;
const answer = (verdict: string) =>
  `{"verdict": "${verdict}", "reasons": [], "obligations": [], "notes": []}`;
const strictRule = `package interlock.main
default decision := ${answer('deny')}
decision := ${answer('allow')} if input.subject.agent in data.config.agents`;

let strict: Uint8Array;
let other: Uint8Array;
let boundless: Uint8Array;

beforeAll(async () => {
  [strict, other, boundless] = await Promise.all([
    buildWithOpa({ text: strictRule, data: { config: { agents: ['clerk'] } } }),
    buildWithOpa({ text: strictRule, data: { config: { agents: ['reader'] } } }),
    buildWithOpa({ text: `package interlock.main\ndecision := ${answer('allow')}` }),
  ]);
});

const entryOf = (bytes: Uint8Array) => ({ version: 7, digest: sha256(bytes), bytes: bytes.byteLength });

function refusalOf(open: () => unknown): string {
  try {
    open();
  } catch (error) {
    if (error instanceof Fault && error.code === 'configuration_invalid') return error.message;
    throw error;
  }
  return 'not refused';
}

describe('[P-policy-signed] a bundle is refused', () => {
  test('when one byte of it was changed', () => {
    const tampered = Uint8Array.from(strict);
    tampered[tampered.length - 9] = (tampered[tampered.length - 9] ?? 0) ^ 1;
    expect(refusalOf(() => openBundle(entryOf(strict), tampered))).toMatch(/published/);
  });

  test('when it is not the one that the entry names', () => {
    expect(refusalOf(() => openBundle(entryOf(strict), other))).toMatch(/published/);
  });

  test('when it is cut short, empty, or not an archive', () => {
    const tar = gunzipSync(strict);
    for (const bytes of [gzipSync(tar.subarray(0, tar.length / 2)), gzipSync(''), Buffer.from('policy')])
      expect(refusalOf(() => openBundle(entryOf(bytes), bytes))).not.toBe('not refused');
  });

  test('when it is too large once unpacked', () => {
    const bomb = gzipSync(Buffer.alloc(65 * 1_048_576));
    expect(refusalOf(() => openBundle(entryOf(bomb), bomb))).toMatch(/unpack/);
  });

  test('when it allows a call without a caller and a tool', () => {
    expect(refusalOf(() => openBundle(entryOf(boundless), boundless))).toMatch(/without a caller and a tool/);
  });

  test.each([
    ['does not exist', ['Europe/Berlin', 'Europe/Atlantis']],
    ['is no text', [1]],
    ['stands alone', 'Europe/Berlin'],
  ])('when a time zone it names %s', async (_, zones) => {
    const bytes = await buildWithOpa({ text: strictRule, data: { config: { agents: [], zones } } });
    expect(refusalOf(() => openBundle(entryOf(bytes), bytes))).toMatch(/time zone/);
  });
});

describe('a bundle', () => {
  test('decides once it is open, and names the time zones that its rules need', async () => {
    const data = { config: { agents: ['clerk'], zones: ['Europe/Berlin', 'UTC', 'UTC'] } };
    const bytes = await buildWithOpa({ text: strictRule, data });
    const held: LoadedPolicy = openBundle(entryOf(bytes), bytes);
    expect(held).toMatchObject({ version: 7, digest: sha256(bytes), zones: ['Europe/Berlin', 'UTC'] });
    expect(held.policy.evaluate({ subject: { agent: 'clerk' } }).verdict).toBe('allow');
    expect(held.policy.evaluate({ subject: { agent: 'reader' } }).verdict).toBe('deny');
  });

  test('needs no time zone when its data names none', () => {
    expect(openBundle(entryOf(strict), strict).zones).toEqual([]);
  });
});

describe('[P-policy-signed] an author', () => {
  function certifiedKeyOf(holder: 'author' | 'console', notAfter = NOW_MS + HOUR_MS) {
    const { privateKey, certified } = createKey(holder, 'sign', notAfter);
    const sign = { keyId: certified.keyId, privateKey };
    const { sign: key }: AuthorKey = authorKeySchema.parse({ holder: 'author', sign });
    return { key, keyring: new Keyring([certified]) };
  }
  const faulty = expect.objectContaining({ code: 'statement_invalid' });

  test('has neither the key of a service, nor an expired key, nor a key without a certificate', () => {
    const author = certifiedKeyOf('author');
    const { key, keyring } = certifiedKeyOf('console');
    const expired = certifiedKeyOf('author', NOW_MS);
    expect(() => verifyBundle(signBundle(strict, key, NOW_MS), keyring, strict, NOW_MS)).toThrow(faulty);
    expect(() => verifyBundle(signBundle(strict, key, NOW_MS), author.keyring, strict, NOW_MS)).toThrow(
      faulty,
    );
    expect(() =>
      verifyBundle(signBundle(strict, expired.key, NOW_MS), expired.keyring, strict, NOW_MS),
    ).toThrow(faulty);
  });

  test('signs these very bytes and no others', () => {
    const { key, keyring } = certifiedKeyOf('author');
    const signature = signBundle(strict, key, NOW_MS);
    expect(() => verifyBundle(signature, keyring, other, NOW_MS)).toThrow(faulty);
    expect(() => verifyBundle(`${signature.slice(0, -4)}AAAA`, keyring, strict, NOW_MS)).toThrow(faulty);
    expect(() => verifyBundle('', keyring, strict, NOW_MS)).toThrow(faulty);
    expect(verifyBundle(signature, keyring, strict, NOW_MS)).toEqual({
      type: 'bundle',
      digest: sha256(strict),
      bytes: strict.byteLength,
      issuedAt: NOW_MS,
    });
  });
});
