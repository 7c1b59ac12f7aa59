/** Words of a shell command line, by the rules POSIX and bash share. */

/** Thrown for what is not read: syntax errors, and constructs in which shells differ. */
export class Unreadable extends Error {}

export type Feature =
  | 'list'
  | 'pipe'
  | 'background'
  | 'redirect'
  | 'substitution'
  | 'expansion'
  | 'glob'
  | 'assignment'
  | 'compound';

/** One word. Its value is null where it is known only when it runs. */
export interface Word {
  value: string | null;
  /** True where some of it was quoted: then it is no reserved word. */
  quoted: boolean;
}

/** What the words of a line share. */
export interface Line {
  readonly text: string;
  at: number;
  readonly features: Set<Feature>;
  /** Reads the list of commands inside a substitution, up to its closing parenthesis. */
  readonly nested: () => void;
  /** Reads a text that is a list of commands of its own. */
  readonly script: (text: string) => void;
}

const ENDS_WORD = new Set([' ', '\t', '\n', ';', '&', '|', '(', ')', '<', '>', '']);

/** Returns the character a line stands at, or the empty text at its end. */
export function peek({ text, at }: Line, ahead = 0): string {
  return text.charAt(at + ahead);
}

/** True when the line goes on with this text. */
export function goesOn({ text, at }: Line, start: string): boolean {
  return text.startsWith(start, at);
}

/** Reads one word; it stands at its first character. */
export function readWord(line: Line): Word {
  const word: Building = { text: '', known: true, quoted: false, braces: '' };
  for (let next = peek(line); !ENDS_WORD.has(next) || isSubstitution(line); next = peek(line))
    readPiece(line, next, word);
  if (expandsBraces(word.braces)) unknown(line, word, 'expansion');
  return { value: word.known ? word.text : null, quoted: word.quoted };
}

/** `{a,b}` and `{1..3}` are several words. */
function expandsBraces(text: string): boolean {
  const inside = text.slice(text.indexOf('{') + 1, Math.max(0, text.lastIndexOf('}')));
  return text.includes('{') && (inside.includes(',') || inside.includes('..'));
}

interface Building {
  text: string;
  known: boolean;
  quoted: boolean;
  /** The unquoted characters, in which braces expand. */
  braces: string;
}

function unknown({ features }: Line, word: Building, feature: Feature): void {
  features.add(feature);
  word.known = false;
}

/** `<(…)` and `>(…)` are words. */
function isSubstitution(line: Line): boolean {
  return goesOn(line, '<(') || goesOn(line, '>(');
}

function readPiece(line: Line, next: string, word: Building): void {
  switch (next) {
    case '\\':
      readEscape(line, word);
      return;
    case "'":
      word.text += readSingleQuoted(line);
      word.quoted = true;
      return;
    case '"':
      readDoubleQuoted(line, word);
      return;
    case '$':
      readDollar(line, word, false);
      return;
    case '`':
      readBackquoted(line, word, false);
      return;
    case '<':
    case '>':
      line.at += 2;
      unknown(line, word, 'substitution');
      line.nested();
      return;
    default:
      readPlain(line, next, word);
  }
}

function readPlain(line: Line, next: string, word: Building): void {
  const before = word.braces.at(-1);
  if (next === '*' || next === '?') unknown(line, word, 'glob');
  // Alone, `[` is the name of a command.
  if (next === '[' && !(word.braces === '' && ENDS_WORD.has(peek(line, 1)))) unknown(line, word, 'glob');
  if (next === '~' && (word.text === '' || before === '=' || before === ':'))
    unknown(line, word, 'expansion');
  word.text += next;
  word.braces += next;
  line.at += 1;
}

function readEscape(line: Line, word: Building): void {
  const next = peek(line, 1);
  if (next === '') throw new Unreadable();
  line.at += 2;
  // A line that is continued: both characters vanish.
  if (next === '\n') return;
  word.text += next;
  word.quoted = true;
}

function readSingleQuoted(line: Line): string {
  const end = line.text.indexOf("'", line.at + 1);
  if (end < 0) throw new Unreadable();
  const text = line.text.slice(line.at + 1, end);
  line.at = end + 1;
  return text;
}

function readDoubleQuoted(line: Line, word: Building): void {
  word.quoted = true;
  line.at += 1;
  for (let next = peek(line); next !== '"'; next = peek(line)) {
    if (next === '') throw new Unreadable();
    if (next === '$') readDollar(line, word, true);
    else if (next === '`') readBackquoted(line, word, true);
    else if (next === '\\') readQuotedEscape(line, word);
    else {
      word.text += next;
      line.at += 1;
    }
  }
  line.at += 1;
}

function readQuotedEscape(line: Line, word: Building): void {
  const next = peek(line, 1);
  if (next === '') throw new Unreadable();
  line.at += 2;
  if (next === '\n') return;
  word.text += '$`"\\'.includes(next) ? next : `\\${next}`;
}

function readDollar(line: Line, word: Building, quoted: boolean): void {
  const next = peek(line, 1);
  // Arithmetic; and a line continued between the sign and its name.
  if (goesOn(line, '$((') || next === '[' || goesOn(line, '$\\\n')) throw new Unreadable();
  if (next === '(') {
    line.at += 2;
    unknown(line, word, 'substitution');
    line.nested();
  } else if (next === '{') readBraced(line, word);
  else if (next === "'" && !quoted) readCString(line, word);
  else if (next === '"' && !quoted) {
    line.at += 1;
    unknown(line, word, 'expansion');
    readDoubleQuoted(line, word);
  } else readName(line, word);
}

function readName(line: Line, word: Building): void {
  const name = /^\$([A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])/.exec(line.text.slice(line.at, line.at + 256))?.[0];
  if (name === undefined) {
    word.text += '$';
    word.braces += '$';
    line.at += 1;
    return;
  }
  line.at += name.length;
  unknown(line, word, 'expansion');
}

/** `${name}` and simple forms of it. In the others, quotes and substitutions nest in ways in which shells differ. */
function readBraced(line: Line, word: Building): void {
  const braced = /^\$\{[#!]?[A-Za-z0-9_@*#?$!-]{1,64}([:=+?%/^,@-][^{}$`'"\\]{0,256})?\}/;
  const found = braced.exec(line.text.slice(line.at, line.at + 400))?.[0];
  if (found === undefined) throw new Unreadable();
  line.at += found.length;
  unknown(line, word, 'expansion');
}

/** `$'…'`, in which a backslash also escapes the quote. */
function readCString(line: Line, word: Building): void {
  unknown(line, word, 'expansion');
  word.quoted = true;
  line.at += 2;
  for (let next = peek(line); next !== "'"; next = peek(line)) {
    if (next === '') throw new Unreadable();
    line.at += next === '\\' ? 2 : 1;
  }
  line.at += 1;
}

function readBackquoted(line: Line, word: Building, quoted: boolean): void {
  unknown(line, word, 'substitution');
  line.at += 1;
  let script = '';
  for (let next = peek(line); next !== '`'; next = peek(line)) {
    if (next === '') throw new Unreadable();
    const escaped = peek(line, 1);
    const drops =
      next === '\\' &&
      (escaped === '\\' || escaped === '`' || escaped === '$' || (quoted && escaped === '"'));
    script += drops ? escaped : next;
    line.at += drops ? 2 : 1;
  }
  line.at += 1;
  line.script(script);
}
