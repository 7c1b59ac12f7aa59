import { expect, test } from 'vitest';
import { plain, quoted, table } from './output.ts';

/** What hides, turns round or piles up text in a terminal, each between two letters. */
const HIDDEN = [
  '\u0007',
  '\u0008',
  '\r',
  '\u001b[2J',
  '\u0085',
  '\u009b',
  '\u00a0',
  '\u00ad',
  '\u034f',
  '\u061c',
  '\u115f',
  '\u180e',
  '\u2000',
  '\u200b',
  '\u200d',
  '\u200e',
  '\u200f',
  '\u2028',
  '\u2029',
  '\u202e',
  '\u2060',
  '\u2066',
  '\u206a',
  '\u2800',
  '\u3000',
  '\u3164',
  '\ud800',
  '\ue000',
  '\ufe0f',
  '\ufeff',
  '\uffa0',
  '\ufff9',
  '\u{e0041}',
  '\u{e0100}',
  '\u{1d173}',
];

test.each(HIDDEN)('[P-approval-shown] what hides or turns text is printed as an escape (%j)', (hidden) => {
  const first = hidden.slice(0, hidden.startsWith('\u001b') ? 1 : 2);
  for (const shown of [plain(`a${hidden}b`), quoted(`a${hidden}b`), table(['x'], [[`a${hidden}b`]])])
    expect(shown).not.toContain(first);
});

test('[P-approval-shown] text of any language, and JSON, stay readable', () => {
  for (const text of [
    'Zahlung für Müller & Søn',
    'платёж',
    '支払い',
    'שלום',
    'e\u0301',
    '{\n  "a": "💶"\n}\t',
  ])
    expect(plain(text)).toBe(text);
  expect(JSON.parse(plain(JSON.stringify({ text: HIDDEN.join('') })))).toEqual({ text: HIDDEN.join('') });
});

test('[P-approval-shown] each line of what an agent wrote stands behind a bar, and none is wide enough to be broken', () => {
  const drawn = `${' '.repeat(100)}c_1  pay\n${'支'.repeat(100)}\u2028  asked by amount_cap: "small"`;
  for (const written of [drawn, { [drawn]: [drawn] }]) {
    for (const line of quoted(written).split('\n')) {
      expect(line).toMatch(/^ {2}│ /);
      expect([...line].length).toBeLessThanOrEqual(76);
    }
    const told = quoted(written).replaceAll('  │ ', '').replaceAll('\n', '');
    expect(JSON.parse(told)).toEqual(written);
  }
});

test('[P-approval-shown] a row of a table is one line', () => {
  expect(table(['reason'], [['one\ntwo\u2028three']]).split(/[\n\u2028]/)).toHaveLength(2);
});

test('[P-approval-shown] marks that pile up over other lines are escaped', () => {
  expect(plain(`a${'\u0301'.repeat(9)}`)).toBe(`a${'\u0301'.repeat(3)}${'\\u0301'.repeat(6)}`);
});
