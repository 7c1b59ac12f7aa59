import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Json, pointerOf, valueAt } from './index.ts';

describe('a JSON Pointer', () => {
  test('resolves the examples of RFC 6901, section 5', () => {
    const document: Json = {
      foo: ['bar', 'baz'],
      '': 0,
      'a/b': 1,
      'c%d': 2,
      'e^f': 3,
      'g|h': 4,
      'i\\j': 5,
      'k"l': 6,
      ' ': 7,
      'm~n': 8,
    };
    expect(valueAt(document, '')).toBe(document);
    expect(valueAt(document, '/foo')).toEqual(['bar', 'baz']);
    expect(valueAt(document, '/foo/0')).toBe('bar');
    const names = ['/', '/a~1b', '/c%d', '/e^f', '/g|h', '/i\\j', '/k"l', '/ ', '/m~0n'];
    expect(names.map((name) => valueAt(document, name))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test.each([
    ['a member that JavaScript gives every array', '/items/length'],
    ['a member that JavaScript gives every object', '/constructor'],
    ['an index with a leading zero', '/items/01'],
    ['an index with a sign', '/items/-1'],
    ['the position after the last', '/items/-'],
    ['an index past the end', '/items/2'],
    ['a member of a text', '/name/0'],
    ['a member of null', '/nothing/x'],
  ])('resolves to nothing for %s', (_, pointer) => {
    const document: Json = { items: [1, 2], name: 'ab', nothing: null };
    expect(valueAt(document, pointer)).toBeUndefined();
  });

  test('made from the path of a value resolves to that value, whatever its names', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.integer(), (path, leaf) => {
        const document = path.reduceRight<Json>((inner, name) => ({ [name]: inner }), leaf);
        expect(valueAt(document, pointerOf(path))).toBe(leaf);
      }),
    );
  });
});
