import { Fault } from '@interlock/contracts';
import { processorMs } from '@interlock/testkit';
import { describe, expect, test } from 'vitest';
import { closeSchema, type JsonObject } from './close-schema.ts';
import { compileCheck } from './schema.ts';

type Refusal = { code: string; pointer: string | undefined; detail: string };

function refusalOf(schema: JsonObject, argumentsValue: JsonObject): Refusal | undefined {
  try {
    compileCheck(schema)(argumentsValue);
    return undefined;
  } catch (error) {
    if (error instanceof Fault) return { code: error.code, pointer: error.pointer, detail: error.detail };
    throw error;
  }
}

function parsed(text: string): JsonObject {
  return JSON.parse(text);
}

const text = { type: 'string' };
const file = { type: 'object', properties: { path: text, size: { type: 'integer' } }, required: ['path'] };

describe('[P-ingress-arguments] arguments', () => {
  test.each([
    [{}, '/arguments/path'],
    [{ path: 7 }, '/arguments/path'],
    [{ path: 'a', size: 'b' }, '/arguments/size'],
    [{ path: 'a', mode: 'w' }, '/arguments/mode'],
    [{ path: 'a', 'a/b~': 1 }, '/arguments/a~1b~0'],
  ])('%j are refused and the place is pointed at: %s', (argumentsValue, pointer) => {
    expect(refusalOf(file, argumentsValue)).toMatchObject({ code: 'arguments_invalid', pointer });
  });

  test('that match are accepted', () => {
    expect(refusalOf(file, { path: 'a', size: 1 })).toBeUndefined();
  });

  test.each([
    '{"path":"a","__proto__":{"size":1}}',
    '{"path":"a","constructor":{}}',
    '{"path":"a","toString":1}',
  ])('cannot use a name that JavaScript itself uses: %s', (body) => {
    expect(refusalOf(file, parsed(body))?.code).toBe('arguments_invalid');
  });

  test('do not have what JavaScript gives every object', () => {
    const schema = { type: 'object', properties: { constructor: {} }, required: ['constructor'] };
    expect(refusalOf(schema, {})).toMatchObject({ pointer: '/arguments/constructor' });
    expect(refusalOf(schema, parsed('{"constructor":1}'))).toBeUndefined();
  });

  test('are refused without being quoted', () => {
    const schema = {
      type: 'object',
      properties: { secret: { enum: ['a'] }, mail: { type: 'string', format: 'email', maxLength: 4 } },
    };
    expect(refusalOf(schema, { secret: 'hunter2' })?.detail).not.toContain('hunter2');
    expect(refusalOf(schema, { mail: 'hunter2' })?.detail).not.toContain('hunter2');
  });

  test('are checked against formats', () => {
    const schema = { type: 'object', properties: { when: { type: 'string', format: 'date-time' } } };
    expect(refusalOf(schema, { when: 'tomorrow' })).toMatchObject({ pointer: '/arguments/when' });
    expect(refusalOf(schema, { when: '2026-01-01T00:00:00Z' })).toBeUndefined();
  });

  test('that a backtracking matcher would need years for are refused in under a second', async () => {
    const schema = { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' } } };
    const check = compileCheck(schema);
    const took = await processorMs(() =>
      expect(() => check({ a: `${'a'.repeat(100_000)}!` })).toThrow('arguments_invalid'),
    );
    expect(took).toBeLessThan(1_000);
  });

  test('with a hundred thousand items are compared in time that grows with their number', async () => {
    const check = compileCheck({ type: 'object', properties: { a: { type: 'array', uniqueItems: true } } });
    const list = Array.from({ length: 100_000 }, (_, index) => [index]);
    const took = await processorMs(() => {
      check({ a: list });
      expect(() => check({ a: [...list, [0]] })).toThrow('same item twice');
    });
    expect(took).toBeLessThan(3_000);
  });
});

describe('[P-ingress-arguments] a schema', () => {
  test.each([
    [{ type: 'object', properties: { a: { pattern: '(?=a)' } } }, 'linear time'],
    [{ type: 'object', properties: { a: { pattern: '(a)\\1' } } }, 'linear time'],
    [{ type: 'object', patternProperties: { '(?<!a)b': {} } }, 'linear time'],
    [
      {
        type: 'object',
        properties: { a: { pattern: '[a-z]{900}[a-z]{900}[a-z]{900}[a-z]{900}[a-z]{900}' } },
      },
      'too large',
    ],
    [{ $schema: 'http://json-schema.org/draft-04/schema#', type: 'object' }, '$schema'],
    [{ type: 'objekt' }, 'schema is invalid'],
    [{ $ref: 'https://example.com/other.json' }, 'resolve'],
    [{ type: 'object', description: 'x'.repeat(70_000) }, '64 KiB'],
    [parsed(`${'{"items":'.repeat(40)}{}${'}'.repeat(40)}`), 'deeper than'],
  ])('with an error makes the tool unusable and says why: %#', (schema, words) => {
    const refusal = refusalOf(schema, {});
    expect(refusal?.code).toBe('tool_unusable');
    expect(refusal?.detail).toContain(words);
  });

  test.each([
    undefined,
    'http://json-schema.org/draft-07/schema#',
    'https://json-schema.org/draft/2019-09/schema',
    'https://json-schema.org/draft/2020-12/schema',
  ])('in the dialect %s is closed at every level, through references and compositions', (dialect) => {
    const schema = {
      ...(dialect === undefined ? {} : { $schema: dialect }),
      type: 'object',
      definitions: { place: { type: 'object', properties: { city: text } } },
      allOf: [{ properties: { a: text } }, { $ref: '#/definitions/place' }],
      properties: { at: { $ref: '#/definitions/place' }, list: { type: 'array', items: file } },
    };
    expect(
      refusalOf(schema, { a: 'x', city: 'y', at: { city: 'z' }, list: [{ path: 'p' }] }),
    ).toBeUndefined();
    expect(refusalOf(schema, { b: 'x' })).toMatchObject({ pointer: '/arguments/b' });
    expect(refusalOf(schema, { at: { town: 'x' } })).toMatchObject({ pointer: '/arguments/at/town' });
    expect(refusalOf(schema, { list: [{ path: 'p', x: 1 }] })).toMatchObject({
      pointer: '/arguments/list/0/x',
    });
  });

  test.each([
    { type: 'object' },
    { type: 'object', properties: { a: text }, additionalProperties: true },
    { type: 'object', properties: { a: text }, patternProperties: { '^b': text } },
    { type: 'object', anyOf: [{ properties: { a: text } }, { type: 'object' }] },
    { type: 'object', properties: { a: text }, unevaluatedProperties: true },
  ])('that its author left open stays open: %j', (schema) => {
    expect(refusalOf(schema, { b: 'x' })).toBeUndefined();
  });

  test('made of alternatives accepts the members of the one that matches, and no other', () => {
    const kind = (name: string) => ({
      properties: { kind: { const: name }, [name]: text },
      required: ['kind'],
    });
    const schema = { type: 'object', oneOf: [kind('mail'), kind('post')] };
    expect(refusalOf(schema, { kind: 'mail', mail: 'x' })).toBeUndefined();
    expect(refusalOf(schema, { kind: 'mail', post: 'x' })).toMatchObject({ pointer: '/arguments/post' });
  });

  test('of which exactly one part must match does not match more by closing', () => {
    const part = (name: string) => ({ properties: { a: { type: 'object', properties: { [name]: text } } } });
    expect(refusalOf({ type: 'object', oneOf: [part('x'), part('y')] }, { a: { x: 'z' } })?.code).toBe(
      'arguments_invalid',
    );
  });

  test('with a condition accepts what the branch adds', () => {
    const schema = {
      type: 'object',
      properties: { a: text },
      if: { required: ['a'] },
      // biome-ignore lint/suspicious/noThenProperty: it is a keyword of JSON Schema.
      then: { properties: { b: text } },
    };
    expect(refusalOf(schema, { a: 'x', b: 'y' })).toBeUndefined();
    expect(refusalOf(schema, { b: 'y' })).toMatchObject({ pointer: '/arguments/b' });
  });

  test('that contains itself is closed at every level', () => {
    const schema = { type: 'object', properties: { name: text, children: { items: { $ref: '#' } } } };
    expect(refusalOf(schema, { children: [{ children: [{ name: 'x' }] }] })).toBeUndefined();
    expect(refusalOf(schema, { children: [{ children: [{ nam: 'x' }] }] })).toMatchObject({
      pointer: '/arguments/children/0/children/0/nam',
    });
  });

  test('whose references multiply is read in time that grows with its size', async () => {
    const definitions: JsonObject = { d0: { properties: { a: text } } };
    for (let level = 1; level < 200; level += 1) {
      const next = { $ref: `#/$defs/d${level - 1}` };
      definitions[`d${level}`] = { anyOf: [next, next] };
    }
    const took = await processorMs(() => closeSchema({ $ref: '#/$defs/d199', $defs: definitions }));
    expect(took).toBeLessThan(1_000);
  });

  test('is closed on a copy', () => {
    const before = structuredClone(file);
    closeSchema(file);
    expect(file).toEqual(before);
  });
});
