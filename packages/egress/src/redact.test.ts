import { Secret } from '@interlock/keys';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { basicSecrets, redact, redactHeaders } from './redact.ts';

/** The same values in every run, so that a failed run can be repeated. */
fc.configureGlobal({ seed: 20_261_121 });

const KEY = 'sk-Live/4f9+8b7c"6d\\5e ü~';

/** Secrets that do not overlap the text that replaces them. */
const anySecret = fc
  .string({ unit: fc.constantFrom(...'abcXYZ019-_+/="\\%& ~üλ😀'), minLength: 8, maxLength: 40 })
  .filter((text) => !text.includes('[') && Buffer.byteLength(text) >= 8);
const anyBytes = fc.uint8Array({ maxLength: 200 });

describe('redaction', () => {
  test.each([
    ['plain', KEY],
    ['base64', base64(KEY)],
    ['base64 without padding', base64(KEY).replace(/=+$/, '')],
    ['base64 of the url alphabet', Buffer.from(KEY).toString('base64url')],
    ['base64 wrapped into lines', base64(`${'x'.repeat(50)}${KEY}`).replaceAll(/.{20}/g, '$&\r\n')],
    [
      'base64 inside JSON that escapes slashes',
      base64(KEY).replaceAll('/', '\\/').replaceAll('+', '\\u002B'),
    ],
    ['basic authentication', `Basic ${base64(`someone:${KEY}`)}`],
    ['URL-encoded', encodeURIComponent(KEY)],
    [
      'URL-encoded in lower case',
      encodeURIComponent(KEY).replaceAll(/%../g, (triplet) => triplet.toLowerCase()),
    ],
    ['URL-encoded twice', encodeURIComponent(encodeURIComponent(KEY))],
    ['hexadecimal digits', Buffer.from(KEY).toString('hex')],
    ['hexadecimal digits in upper case', Buffer.from(KEY).toString('hex').toUpperCase()],
    ['a form', new URLSearchParams({ key: KEY }).toString()],
    ['every byte percent-encoded', [...Buffer.from(KEY)].map((byte) => `%${byte.toString(16)}`).join('')],
    ['JSON', JSON.stringify({ key: KEY })],
    ['JSON in ASCII', JSON.stringify(KEY).replaceAll(/[^\x20-\x7e]/g, unicodeEscape)],
    ['every character as a JSON escape', [...KEY].map(unicodeEscape).join('')],
    ['JSON with escaped slashes', JSON.stringify(KEY).replaceAll('/', '\\/')],
    ['JSON inside JSON', JSON.stringify(JSON.stringify(KEY))],
    [
      'a URL inside JSON with escaped slashes',
      JSON.stringify(`https://h/?k=${encodeURIComponent(KEY)}`).replaceAll('/', '\\/'),
    ],
  ])('[P-secret-redacted] removes the secret from %s', (_form, text) => {
    const { body, redactions } = redact(`before ${text} after`, [new Secret(KEY)]);
    expect(redactions).toBe(1);
    expect(body).toMatch(/^before .*\[secret\].* after$/s);
    expect(body.length).toBeLessThan('before  after'.length + text.length);
  });

  test('[P-secret-redacted] removes the secret from UTF-16 in either byte order', () => {
    const wide = Buffer.from(`<${KEY}>`, 'utf16le');
    for (const body of [wide, Buffer.from(wide).swap16()])
      expect(redact(body, [new Secret(KEY)]).redactions).toBe(1);
  });

  test('[P-secret-redacted] removes an echo that was cut off, from eight bytes on', () => {
    for (const length of [8, 12, 20])
      expect(redact(`"${KEY.slice(0, length)}…"`, [new Secret(KEY)]).body).toBe('"[secret]…"');
  });

  test('leaves no bits of the secret at the edges of an encoded text', () => {
    for (const prefix of ['', 'u', 'us', 'use']) {
      for (const suffix of ['', 'x', 'xy']) {
        const { body } = redact(base64(`${prefix}topsecret${suffix}`), [new Secret('topsecret')]);
        const [before = '', after = ''] = body.split('[secret]');
        expect(before.length).toBe(Math.floor((prefix.length * 8) / 6));
        const shared = prefix.length + 'topsecret'.length;
        expect(after.replaceAll('=', '').length).toBe(charsOf(shared + suffix.length) - charsOf(shared));
      }
    }
  });

  test('removes a short secret where it is plain or escaped, and in basic authentication', () => {
    const password = new Secret('pw1/');
    expect(redact('a pw1/ b pw1%2F c', [password])).toEqual({
      body: 'a [secret] b [secret] c',
      redactions: 2,
    });
    const header = `Basic ${base64('someone:pw1/')}`;
    expect(redact(header, basicSecrets('someone', password)).body).toMatch(/^Basic \[secret\]=*$/);
  });

  test('refuses what it cannot redact instead of returning it', () => {
    expect(() => redact('x', [new Secret('s'.repeat(20_000))])).toThrow(/too long/);
    expect(() =>
      redact(
        'x',
        Array.from({ length: 65 }, () => new Secret('secret')),
      ),
    ).toThrow(/more secrets/);
  });

  test('removes overlapping secrets as one', () => {
    const secrets = [new Secret('abcdefgh'), new Secret('efghijkl'), new Secret('')];
    expect(redact('<abcdefghijkl>', secrets)).toEqual({ body: '<[secret]>', redactions: 1 });
  });

  test('redacts header values and counts them', () => {
    const headers = [
      ['x-echo', `Bearer ${KEY.slice(0, 7)}`],
      ['set-cookie', 'a=b'],
      ['set-cookie', `k=${encodeURIComponent(KEY)}`],
    ] as const;
    expect(redactHeaders(headers, [new Secret(KEY)])).toEqual({
      headers: [headers[0], headers[1], ['set-cookie', 'k=[secret]']],
      redactions: 1,
    });
  });

  test('returns a body without a secret unchanged', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const { body, redactions } = redact(bytes, [new Secret('a secret that is not there')]);
        expect(redactions).toBe(0);
        expect(body).toBe(bytes);
      }),
    );
  });

  test('[P-secret-redacted] finds any secret in any spelling between any bytes, and keeps those bytes', () => {
    const spellings: readonly ((text: string) => string)[] = [
      (text) => text,
      (text) => encodeURIComponent(text),
      (text) => encodeURIComponent(text).replaceAll('%20', '+'),
      (text) => JSON.stringify(text).slice(1, -1),
      (text) => text.replaceAll(/./gs, unicodeEscape),
    ];
    fc.assert(
      fc.property(
        anySecret,
        fc.constantFrom(...spellings),
        anyBytes,
        anyBytes,
        (text, spell, before, after) => {
          const around = [
            Buffer.from(before),
            Buffer.from('|'),
            Buffer.from('|'),
            Buffer.from(after),
          ] as const;
          const whole = Buffer.concat([around[0], around[1], Buffer.from(spell(text)), around[2], around[3]]);
          const clean = Buffer.from(redact(whole, [new Secret(text)]).body);
          expect(clean.includes(`|[secret]|`)).toBe(true);
          expect(clean.subarray(0, before.length).equals(around[0])).toBe(true);
          expect(clean.subarray(clean.length - after.length).equals(around[3])).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('finds any secret at any position of any longer base64 text', () => {
    const alphabets = fc.constantFrom<'base64' | 'base64url'>('base64', 'base64url');
    fc.assert(
      fc.property(anySecret, alphabets, anyBytes, anyBytes, (text, alphabet, before, after) => {
        const encoded = Buffer.concat([before, Buffer.from(text), after]).toString(alphabet);
        const { body, redactions } = redact(encoded, [new Secret(text)]);
        expect(redactions).toBeGreaterThan(0);
        for (const part of body.split('[secret]')) {
          expect(Buffer.from(part, alphabet).includes(Buffer.from(text).subarray(1, -1))).toBe(false);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

/** How many base64 characters carry bits of so many bytes. */
function charsOf(byteCount: number): number {
  return Math.ceil((byteCount * 8) / 6);
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function unicodeEscape(character: string): string {
  return Array.from({ length: character.length }, (_, index) => character.charCodeAt(index))
    .map((code) => `\\u${code.toString(16).padStart(4, '0')}`)
    .join('');
}
