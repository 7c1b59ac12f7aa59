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
    ['JSON three times over', JSON.stringify(JSON.stringify(JSON.stringify(KEY)))],
    ['HTML', inHtml(KEY)],
    ['HTML with numeric quotes', KEY.replaceAll('"', '&#34;').replaceAll('~', '&#126;')],
    ['HTML with names for punctuation', KEY.replaceAll('/', '&sol;').replaceAll('+', '&plus;')],
    ['HTML with names for letters', KEY.replaceAll('ü', '&uuml;')],
    ['HTML without semicolons', KEY.replaceAll('"', '&quot').replaceAll('ü', '&uuml')],
    ['decimal references', [...KEY].map((letter) => `&#${letter.codePointAt(0)};`).join('')],
    ['decimal references with zeros', [...KEY].map((letter) => `&#00${letter.codePointAt(0)};`).join('')],
    ['hexadecimal references', [...KEY].map((letter) => `&#x${hexOf(letter)};`).join('')],
    [
      'hexadecimal references in upper case',
      [...KEY].map((letter) => `&#X${hexOf(letter).toUpperCase()};`).join(''),
    ],
    [
      'decimal references without semicolons',
      [...KEY].map((letter) => `&#${letter.codePointAt(0)}`).join(''),
    ],
    ['HTML twice over', inHtml(inHtml(KEY))],
    ['HTML inside JSON as Go writes it', JSON.stringify(inHtml(KEY)).replaceAll('&', '\\u0026')],
    ['JSON inside HTML', inHtml(JSON.stringify(KEY))],
    ['a URL inside HTML inside JSON', JSON.stringify(inHtml(`<a href="/?k=${encodeURIComponent(KEY)}">`))],
    ['HTML, URL-encoded', encodeURIComponent(inHtml(KEY))],
    ['bytes as Python writes them', [...Buffer.from(KEY)].map((byte) => `\\x${byte.toString(16)}`).join('')],
    ['letters as JavaScript writes them', [...KEY].map((letter) => `\\u{${hexOf(letter)}}`).join('')],
    ['UTF-16 in base64', Buffer.from(KEY, 'utf16le').toString('base64')],
    ['base64 in base64', base64(base64(KEY))],
    ['hexadecimal digits in base64', base64(Buffer.from(KEY).toString('hex'))],
    ['JSON in base64', base64(JSON.stringify({ key: KEY }))],
    ['JSON with escaped slashes in base64', base64(JSON.stringify({ key: KEY }).replaceAll('/', '\\/'))],
    ['JSON in ASCII in base64', base64(JSON.stringify(KEY).replaceAll(/[^\x20-\x7e]/g, unicodeEscape))],
    ['a URL in base64', base64(`https://h/?k=${encodeURIComponent(KEY)}`)],
    [
      'a form in the base64 of URLs',
      Buffer.from(new URLSearchParams({ key: KEY }).toString()).toString('base64url'),
    ],
    ['HTML in base64', base64(inHtml(KEY))],
    ['JSON in base64 that is URL-encoded', encodeURIComponent(base64(JSON.stringify({ key: KEY })))],
    [
      'basic authentication inside JSON in base64',
      base64(JSON.stringify({ auth: base64(`someone:${KEY}`) })),
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

  test('[P-secret-redacted] removes JSON in UTF-16, in which every quote is escaped', () => {
    const wide = Buffer.from(JSON.stringify(JSON.stringify(KEY)), 'utf16le');
    expect(redact(wide, [new Secret(KEY)]).redactions).toBe(1);
  });

  test('[P-secret-redacted] removes an echo in base64 that was cut off', () => {
    for (const prefix of ['', 'u', 'us'])
      expect(redact(base64(`${prefix}${KEY.slice(0, 9)}`), [new Secret(KEY)]).redactions).toBe(1);
  });

  test('[P-secret-redacted] removes a long secret whole, wherever it is cut into parts', () => {
    const pem = `-----BEGIN PRIVATE KEY-----\n${'MIIEvQIBADANBgkqhkiG9w0BAQ\n'.repeat(80)}-----END PRIVATE KEY-----`;
    for (const text of [
      pem,
      JSON.stringify(pem),
      JSON.stringify(JSON.stringify({ pem })),
      base64(JSON.stringify({ pem })),
    ]) {
      const { body } = redact(`before ${text} after`, [new Secret(pem)]);
      expect(body).toMatch(/^before \S{0,24}\[secret\]\S{0,24} after$/);
    }
  });

  test('[P-secret-redacted] leaves the name of a user alone, whose password is the secret', () => {
    const secrets = basicSecrets('someone@example.com', new Secret('correct horse'));
    const text = 'Welcome, someone@example.com: your account is someone@example.com';
    expect(redact(text, secrets)).toEqual({ body: text, redactions: 0 });
    expect(redact('someone@example.com:correct h', secrets).body).toBe('[secret]');
  });

  test('[P-secret-redacted] finds a secret that itself looks escaped', () => {
    for (const secret of ['100%41&amp;b"c/d', 'a\\u0041\\nb"c&lt;d', '%2525%2525%2525x']) {
      for (const text of [
        secret,
        JSON.stringify(secret),
        encodeURIComponent(secret),
        inHtml(secret),
        JSON.stringify(inHtml(encodeURIComponent(secret))),
        base64(JSON.stringify(secret)),
      ])
        expect([text, redact(`(${text})`, [new Secret(secret)]).redactions]).toEqual([text, 1]);
    }
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

  test('[P-secret-redacted] finds any secret under any three layers of escaping', () => {
    const escapers: readonly ((text: string) => string)[] = [
      (text) => text,
      (text) => encodeURIComponent(text),
      (text) => JSON.stringify(text),
      (text) => text.replaceAll(/[\x20-\x7e]/g, unicodeEscape),
      inHtml,
      (text) => [...text].map((letter) => `&#x${hexOf(letter)};`).join(''),
    ];
    const escaper = fc.constantFrom(...escapers);
    fc.assert(
      fc.property(anySecret, escaper, escaper, escaper, (text, first, second, third) => {
        const { body, redactions } = redact(`|${third(second(first(text)))}|`, [new Secret(text)]);
        expect(redactions).toBe(1);
        expect(body).not.toContain(third(second(first(text))));
      }),
      { numRuns: 1000 },
    );
  });

  test('[P-secret-redacted] finds any secret in any escaped text that is base64', () => {
    const escapers: readonly ((text: string) => string)[] = [
      (text) => encodeURIComponent(text),
      (text) => JSON.stringify(text).slice(1, -1),
      (text) => JSON.stringify(text).slice(1, -1).replaceAll('/', '\\/'),
      (text) =>
        JSON.stringify(text)
          .slice(1, -1)
          .replaceAll(/[^\x20-\x7e]/g, unicodeEscape),
      inHtml,
    ];
    fc.assert(
      fc.property(
        anySecret,
        fc.constantFrom(...escapers),
        fc.constantFrom<'base64' | 'base64url'>('base64', 'base64url'),
        anyBytes,
        anyBytes,
        (text, escaped, alphabet, before, after) => {
          const whole = Buffer.concat([before, Buffer.from(escaped(text)), after]);
          const { body, redactions } = redact(whole.toString(alphabet), [new Secret(text)]);
          expect(redactions).toBeGreaterThan(0);
          for (const part of body.split('[secret]'))
            expect(Buffer.from(part, alphabet).includes(Buffer.from(escaped(text)).subarray(1, -1))).toBe(
              false,
            );
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

function inHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

function hexOf(letter: string): string {
  return (letter.codePointAt(0) ?? 0).toString(16);
}

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
