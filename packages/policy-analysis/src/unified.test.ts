import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { unified } from './unified.ts';

test('texts that are the same have no difference', () => {
  expect(unified('x', 'a\nb\n', 'a\nb\n')).toBe('');
});

test('a new and a removed text are told from an empty one', () => {
  expect(unified('x', undefined, 'a\n')).toBe('--- /dev/null\n+++ b/x\n@@ -0,0 +1,1 @@\n+a');
  expect(unified('x', 'a\n', undefined)).toBe('--- a/x\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a');
});

test('changes far apart are told apart, with three lines round each', () => {
  const lines = Array.from({ length: 20 }, (_, index) => `line ${index}`);
  const after = lines.with(2, 'changed').with(17, 'changed too');
  expect(unified('x', lines.join('\n'), after.join('\n')).match(/^@@.*$/gm)).toEqual([
    '@@ -1,6 +1,6 @@',
    '@@ -15,6 +15,6 @@',
  ]);
});

test('patch makes of the first text and the difference the second', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'interlock-unified-'));
  const file = path.join(folder, 'x');
  const text = fc
    .array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 24 })
    .map((lines) => `${lines.join('\n')}\n`);
  try {
    fc.assert(
      fc.property(text, text, (before, after) => {
        fc.pre(before !== after);
        writeFileSync(file, before);
        const patched = execFileSync('patch', ['-s', '-o', '-', file], {
          input: `${unified('x', before, after)}\n`,
        });
        expect(patched.toString()).toBe(after);
      }),
      { numRuns: 60, seed: 7 },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
