import { expect, test } from 'vitest';
import { readArguments } from './arguments.ts';

test.each(['', '{', '[]', '"text"', '7', 'null', 'true'])('%j is refused as arguments', (text) => {
  expect(() => readArguments(text)).toThrow(expect.objectContaining({ code: 'statement_invalid' }));
});

test('arguments are read with every member, whatever its name: what policy saw is what is carried out', () => {
  const text = '{"__proto__":{"admin":true},"a":[1,null],"constructor":1}';
  expect(Object.keys(readArguments(text))).toEqual(['__proto__', 'a', 'constructor']);
  expect(JSON.stringify(readArguments(text))).toBe(text);
});
