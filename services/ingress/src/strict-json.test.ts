import { Fault } from '@interlock/contracts';
import fastCheck from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseStrictJson } from './strict-json.ts';

/** The same values in every run: a run that fails is one that anybody can repeat. */
fastCheck.configureGlobal({ seed: 20_261_121 });

const limits = { depth: 4, stringLength: 10 };

function refusalOf(text: string | Buffer): { code: string; pointer: string | undefined } {
  try {
    parseStrictJson(Buffer.from(text), limits);
  } catch (error) {
    if (error instanceof Fault) return { code: error.code, pointer: error.pointer };
    throw error;
  }
  throw new Error('The text was accepted.');
}

describe('strict JSON', () => {
  test.each([
    ['', 'nothing'],
    ['{', 'an open object'],
    ['{"a":1,}', 'a trailing comma'],
    ['{"a":01}', 'a leading zero'],
    ['\uFEFF{}', 'a byte order mark'],
    ['{} {}', 'two values'],
    ['NaN', 'a number JSON does not know'],
    ['[', 'an open array'],
  ])('refuses %j, which is %s', (text) => {
    expect(refusalOf(text)).toEqual({ code: 'body_malformed', pointer: undefined });
  });

  test.each([
    ['{"a":1,"a":2}', '/a'],
    ['{"a":1,"\\u0061":2}', '/a'],
    ['{"x":[{},{"k/~":1, "k/~" :2}]}', '/x/1/k~1~0'],
    ['{"__proto__":1,"__proto__":2}', '/__proto__'],
  ])('refuses a member named twice in %s and points at it', (text, pointer) => {
    expect(refusalOf(text)).toEqual({ code: 'body_duplicate_key', pointer });
  });

  test.each([
    ['{"a":"\\uD800"}', '/a'],
    ['{"a":["\\uDC00\\uD800"]}', '/a/0'],
    ['"\\uD83D x"', ''],
  ])('refuses a lone surrogate written as an escape in %s', (text, pointer) => {
    expect(refusalOf(text)).toEqual({ code: 'unicode_malformed', pointer });
  });

  test('[P-digest-canonical] refuses a lone surrogate in a member name, and bytes that are not UTF-8', () => {
    expect(refusalOf('{"a":{"\\uD800":1}}')).toEqual({ code: 'unicode_malformed', pointer: '/a' });
    expect(refusalOf(Buffer.from([0x22, 0xff, 0x22])).code).toBe('unicode_malformed');
    expect(refusalOf(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])).code).toBe('unicode_malformed');
  });

  test('accepts nesting up to the limit and refuses one level more', () => {
    expect(parseStrictJson(Buffer.from('[[[[1]]]]'), limits)).toEqual([[[[1]]]]);
    expect(refusalOf('[[[[[1]]]]]')).toEqual({ code: 'body_too_deep', pointer: '/0/0/0/0' });
  });

  test('refuses a hundred thousand levels without running out of stack', () => {
    expect(refusalOf('['.repeat(100_000) + ']'.repeat(100_000)).code).toBe('body_too_deep');
  });

  test('measures a string after its escapes are resolved', () => {
    expect(parseStrictJson(Buffer.from(`"${'\\u0061'.repeat(10)}"`), limits)).toBe('a'.repeat(10));
    expect(refusalOf(`["${'a'.repeat(11)}"]`)).toEqual({ code: 'string_too_long', pointer: '/0' });
    expect(refusalOf(`{"${'a'.repeat(11)}":1}`)).toEqual({ code: 'string_too_long', pointer: '' });
  });

  test.each(['1e400', '-1e999', '9007199254740993', '[12345678901234567890]'])(
    'refuses the number %s, which would change when parsed',
    (text) => {
      expect(refusalOf(text).code).toBe('body_malformed');
    },
  );

  test('keeps __proto__ an ordinary member', () => {
    const value = parseStrictJson(Buffer.from('{"__proto__":{"a":1}}'), limits);
    expect(Object.keys(Object(value))).toEqual(['__proto__']);
    expect(Object.hasOwn({}, 'a')).toBe(false);
  });

  test('reads every well-formed value as JSON.parse does, however it was written', () => {
    const wide = { depth: 100, stringLength: 1_000_000 };
    fastCheck.assert(
      fastCheck.property(
        fastCheck.jsonValue({ stringUnit: 'binary' }),
        fastCheck.constantFrom(undefined, 1, '\t'),
        (value, space) => {
          const text = JSON.stringify(value, null, space);
          expect(parseStrictJson(Buffer.from(text), wide)).toEqual(JSON.parse(text));
        },
      ),
    );
  });
});
