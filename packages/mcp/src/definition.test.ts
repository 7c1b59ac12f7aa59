import { expect, test } from 'vitest';
import { definitionOf, discoveredOf } from './definition.ts';

const object = { type: 'object' };

test.each([
  ['without a schema', { name: 'bad', inputSchema: {} }, { inputSchema: object }],
  ['with nothing for a schema', { name: 'bad', inputSchema: null }, { inputSchema: object }],
  [
    'with a choice at the root',
    { name: 'bad', inputSchema: { anyOf: [{ type: 'object', required: ['a'] }] } },
    { inputSchema: { type: 'object', anyOf: [{ type: 'object', required: ['a'] }] } },
  ],
  [
    'with a null in its schema',
    { name: 'bad', inputSchema: { type: 'object', required: null } },
    { inputSchema: object },
  ],
  [
    'with a null beside it',
    { name: 'bad', inputSchema: object, _meta: null, title: null },
    { inputSchema: object },
  ],
  [
    'with a choice in its output schema',
    { name: 'bad', inputSchema: object, outputSchema: { anyOf: [object, { type: 'null' }] } },
    { inputSchema: object, outputSchema: { anyOf: [object, { type: 'null' }] } },
  ],
  [
    'with a list for annotations and a number for a description',
    { name: 'bad', inputSchema: object, annotations: [], description: 7 },
    { inputSchema: object },
  ],
  [
    'with nulls that are values',
    { name: 'bad', inputSchema: { properties: { a: { const: null, default: null, enum: [null] } } } },
    { inputSchema: { type: 'object', properties: { a: { const: null, default: null, enum: [null] } } } },
  ],
])('[P-one-odd-tool] a tool %s can be used', (_title, listed, definition) => {
  expect(definitionOf(listed)).toEqual({ name: 'bad', ...definition });
});

test.each([[7], [null], [{}], [{ name: 7 }], [{ name: '' }]])('what has no name is no tool: %j', (listed) => {
  expect(definitionOf(listed)).toBeUndefined();
});

test('a description that is too long says that it was cut', () => {
  const long = discoveredOf({ name: 't', description: 'x'.repeat(20_000), inputSchema: {} });
  expect(long?.description).toHaveLength(16_384);
  expect(long?.description.endsWith('x [cut]')).toBe(true);
  const whole = discoveredOf({ name: 't', description: 'x'.repeat(6_993), inputSchema: {} });
  expect(whole?.description).toBe('x'.repeat(6_993));
});
