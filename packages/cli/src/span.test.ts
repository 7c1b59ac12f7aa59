import { describe, expect, test } from 'vitest';
import { namedSpanOf, spanOf } from './span.ts';

const AT = Date.UTC(2026, 0, 31);
const DAY_MS = 86_400_000;

describe('a span of time', () => {
  test.each([
    'yesterday',
    '7',
    '-7d',
    '1d2h',
    '1769817600',
    '17698176000000',
    '2026-13-01',
    '',
    '31.01.2026',
  ])('is not "%s"', (text) => {
    expect(() => spanOf({ since: text }, AT)).toThrow('usage');
  });

  test('does not end before it begins', () => {
    for (const span of [spanOf, namedSpanOf])
      expect(() => span({ since: '1h', until: '2h' }, AT)).toThrow('usage');
  });

  test.each([
    ['7d', AT - 7 * DAY_MS],
    ['2w', AT - 14 * DAY_MS],
    ['90s', AT - 90_000],
    ['2026-01-30', AT - DAY_MS],
    ['2026-01-31T01:00:00+01:00', AT],
    [String(AT - 1), AT - 1],
  ])('begins at %s', (since, expected) => {
    expect(spanOf({ since }, AT)).toEqual({ since: expected, until: AT });
  });
});

test('a search names only the ends it is given', () => {
  expect(namedSpanOf({}, AT)).toEqual({});
  expect(namedSpanOf({ since: '1h' }, AT)).toEqual({ since: AT - 3_600_000 });
  expect(namedSpanOf({ until: '2026-01-30' }, AT)).toEqual({ until: AT - DAY_MS });
});
