/** The fence around re2js: patterns of tool schemas, matched in time linear in the text. */
import { RE2JS } from 're2js';

/**
 * Instructions that a compiled pattern may have, which bounds the work per character. RE2's own limit of 1,000
 * repetitions gives one character class about 2,000.
 */
const PROGRAM_SIZE = 4_096;

/**
 * Compiles an ECMA-262 pattern for RE2. Throws a TypeError for a pattern that RE2 does not support (look-around and
 * back-references need more than linear time) or that is too large.
 */
export function compilePattern(pattern: string): { test: (text: string) => boolean; toString: () => string } {
  const compiled = compile(pattern);
  if (compiled.programSize() > PROGRAM_SIZE)
    throw new TypeError(`the pattern ${JSON.stringify(pattern)} is too large`);
  return { test: (text) => compiled.test(text), toString: () => pattern };
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(RE2JS.translateRegExp(pattern));
  } catch (cause) {
    throw new TypeError(`the pattern ${JSON.stringify(pattern)} cannot be matched in linear time`, { cause });
  }
}
