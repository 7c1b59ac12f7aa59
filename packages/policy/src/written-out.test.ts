import { describe, expect, test } from 'vitest';
import { writtenOut } from './written-out.ts';

const walk = (output: string) =>
  `_${output}[rule] := output if {\n\tsome rule\n\toutput := data.interlock.rules[rule].${output}\n}`;
const written = (output: string, rule: string) =>
  `_${output}[rule] := output if {\n\trule := "${rule}"\n\toutput := data.interlock.rules["${rule}"].${output}\n}`;
const head = '# Every output.\npackage interlock.main';
const rules = new Map([
  ['one', 'package interlock.rules.one\n\ndeny contains "No." if input.x\n'],
  ['two', 'package interlock.rules.two\n\nask contains "Really?" if input.x\n\ndeny := 3\n'],
]);

describe('a walk over all rules', () => {
  test.each([
    ['without rules', [head, walk('deny')].join('\n\n'), new Map<string, string>()],
    [
      'of another shape',
      `${head}\n\n_deny contains text if some text in data.interlock.rules[_].deny\n`,
      rules,
    ],
    ['of something else', `${head}\n\n_x contains rule if {\n\tsome rule\n\tdata.config[rule]\n}\n`, rules],
  ])('%s stays as it is', (_, text, which) => {
    expect(writtenOut(text, which)).toBe(text);
  });

  test('is written out for each rule whose text names the output', () => {
    const text = [head, walk('deny'), walk('ask'), 'x := 1\n'].join('\n\n');
    const expected = [
      head,
      written('deny', 'one'),
      written('deny', 'two'),
      written('ask', 'two'),
      'x := 1\n',
    ];
    expect(writtenOut(text, rules)).toBe(expected.join('\n\n'));
  });

  test('stays for one rule where no rule has the output', () => {
    const text = [head, walk('notes')].join('\n\n');
    expect(writtenOut(text, rules)).toBe([head, written('notes', 'one')].join('\n\n'));
  });
});
