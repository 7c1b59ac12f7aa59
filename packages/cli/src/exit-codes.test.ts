import { Fault } from '@interlock/contracts';
import { Failure, failureOf } from '@interlock/shell';
import { expect, test } from 'vitest';
import { exitCodeOf, failureText, usage } from './exit-codes.ts';

test.each([
  ['the command was used wrongly', usage('Name a call.'), 2],
  ['Interlock was never started', new Failure('not_running', 'No.'), 3],
  ['Interlock does not answer', new Failure('unreachable', 'No.'), 3],
  ['the connection broke', new Failure('answer_broken', 'No.'), 3],
  ['Interlock refused', failureOf(new Fault('policy_denied')), 1],
  ['the command has a bug', failureOf(new TypeError('No.')), 1],
])('when %s the exit code differs', (_, failure, code) => {
  expect(exitCodeOf(failure)).toBe(code);
});

test('what happened is printed first, and below it what to do', () => {
  expect(failureText(usage('Name a call.'))).toBe(
    'interlock: usage: Name a call.\n  See interlock --help.\n',
  );
  expect(failureText(new Failure('opa_slow', 'It took long.'))).toBe('interlock: opa_slow: It took long.\n');
});
