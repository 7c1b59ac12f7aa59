import { expect, test } from 'vitest';
import { tracedHeaders } from './envelope.ts';

test.each(['a\r\nNats-Expected-Last-Sequence: 7', 'a\nb', 'a\rb'])(
  'a header value with a line end, which would begin another header, is refused: %j',
  (value) => {
    expect(() => tracedHeaders({ 'ce-id': value })).toThrow('line end');
  },
);

test('headers keep their names and values', () => {
  const fields = tracedHeaders({ 'ce-id': 'c_1', 'Interlock-Frame': '0/1' });
  expect(fields.get('ce-id')).toBe('c_1');
  expect(fields.get('Interlock-Frame')).toBe('0/1');
});
