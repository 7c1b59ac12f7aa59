import { describe, expect, test } from 'vitest';
import { callDigestOf } from './events.ts';
import { canonicalJson, digestOf, sha256 } from './json.ts';

describe('canonical JSON (RFC 8785)', () => {
  test.each<[string, unknown]>([
    ['a value', 'a\ud800b'],
    ['a lone low surrogate', '\udc00'],
    ['a name', { 'x\udfff': 1 }],
    ['deep inside', { a: [{ b: ['\ud83d'] }] }],
  ])('[P-digest-canonical] refuses ill-formed Unicode in %s', (_where, value) => {
    expect(() => canonicalJson(value)).toThrow(expect.objectContaining({ code: 'unicode_malformed' }));
    expect(() => digestOf(value)).toThrow(expect.objectContaining({ code: 'unicode_malformed' }));
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['not a number', Number.NaN],
    ['infinity', { a: Number.POSITIVE_INFINITY }],
    ['a big integer', 1n],
  ])('refuses %s, which JSON cannot carry', (_what, value) => {
    expect(() => canonicalJson(value)).toThrow(expect.objectContaining({ code: 'body_malformed' }));
  });

  test('serialises the example of section 3.2.3 as the RFC does', () => {
    const value: unknown = JSON.parse(
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],' +
        '"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    );
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  test('sorts names by UTF-16 code units, as section 3.2.3 does', () => {
    const names = ['\u20ac', '\r', '\ufb33', '1', '\ud83d\ude00', '\u0080', '\u00f6'];
    const value = Object.fromEntries(names.map((name) => [name, 0]));
    const sorted = Object.keys(JSON.parse(canonicalJson(value)) as object).filter((name) => name !== '1');
    expect(sorted).toEqual(['\r', '\u0080', '\u00f6', '\u20ac', '\ud83d\ude00', '\ufb33']);
    expect(canonicalJson(value).startsWith('{"\\r":0,"1":0,')).toBe(true);
  });

  test.each<[number, string]>([
    [0, '0'],
    [-0, '0'],
    [5e-324, '5e-324'],
    [1.7976931348623157e308, '1.7976931348623157e+308'],
    [9007199254740992, '9007199254740992'],
    [295147905179352830000, '295147905179352830000'],
    [1e21, '1e+21'],
    [9.999999999999997e22, '9.999999999999997e+22'],
    [0.000001, '0.000001'],
    [1e-7, '1e-7'],
  ])('writes the number %d of appendix B as %s', (value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  test.each([
    ['tenant', 'rival'],
    ['agent', 'other'],
    ['user', 'eve'],
    ['session', 'ses_2'],
    ['tool', 'read'],
    ['toolVersion', sha256('another version')],
    ['argumentsDigest', digestOf({ text: 'another' })],
  ] as const)('[P-digest-canonical] gives a call with another %s another digest', (field, value) => {
    const call = {
      ...{ tenant: 'acme', agent: 'helper', user: 'alice', session: 'ses_1', tool: 'write' },
      ...{ toolVersion: sha256('a version'), argumentsDigest: digestOf({ text: 'a' }) },
    };
    expect(callDigestOf({ ...call })).toBe(callDigestOf(call));
    expect(callDigestOf({ ...call, [field]: value })).not.toBe(callDigestOf(call));
  });

  test('[P-digest-canonical] gives one digest to one value, however it was written, and another to another', () => {
    const digest = digestOf(JSON.parse('{"b":[1.0,2e0],"a":"\\u00e9"}'));
    expect(digest).toBe(digestOf({ a: 'é', b: [1, 2] }));
    expect(digest).toBe(sha256('{"a":"é","b":[1,2]}'));
    // The same letter in another composition is another text: nothing is normalised.
    expect(digestOf({ a: 'e\u0301', b: [1, 2] })).not.toBe(digest);
  });
});
