import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { unifiedDiff } from './unified-diff.ts';

test('texts that are the same have no difference', () => {
  expect(unifiedDiff('x', 'a\nb\n', 'a\nb\n')).toBe('');
});

test('a new and a removed text differ from an empty one', () => {
  expect(unifiedDiff('x', undefined, 'a\n')).toBe('--- /dev/null\n+++ b/x\n@@ -0,0 +1,1 @@\n+a');
  expect(unifiedDiff('x', 'a\n', undefined)).toBe('--- a/x\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a');
});

test('changes far apart are hunks of their own, with three lines around each', () => {
  const lines = Array.from({ length: 20 }, (_, index) => `line ${index}`);
  const after = lines.with(2, 'changed').with(17, 'changed too');
  expect(unifiedDiff('x', lines.join('\n'), after.join('\n')).match(/^@@.*$/gm)).toEqual([
    '@@ -1,6 +1,6 @@',
    '@@ -15,6 +15,6 @@',
  ]);
});

describe('patch makes of the first text and the difference the second', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'interlock-unified-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function patched(before: string, after: string): string {
    const file = path.join(folder, 'x');
    writeFileSync(file, before);
    const input = `${unifiedDiff('x', before, after)}\n`;
    return execFileSync('patch', ['-s', '-o', '-', file], { input }).toString();
  }

  test('whatever the texts are', () => {
    const text = fc
      .array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 24 })
      .map((lines) => `${lines.join('\n')}\n`);
    fc.assert(
      fc.property(text, text, (before, after) => {
        fc.pre(before !== after);
        expect(patched(before, after)).toBe(after);
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  test('also when they differ in more lines than are compared', () => {
    const lines = (word: string) =>
      Array.from({ length: 1_500 }, (_, index) => `${word} ${index}\n`).join('');
    expect(patched(lines('before'), lines('after'))).toBe(lines('after'));
  });
});
