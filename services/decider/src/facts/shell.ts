/**
 * Reads a shell command: which programs it would start, and what else it uses.
 *
 * It reads the part of the language in which POSIX shells and bash agree. Everything else (here-documents, arithmetic,
 * `case`, `for`, functions, arrays, extended patterns) is not read at all, and so counts as the worst.
 */
import type { PolicyFacts } from '@interlock/contracts';
import { type Feature, goesOn, type Line, peek, readWord, Unreadable, type Word } from './shell-scanner.ts';

export type ShellFact = Omit<Extract<PolicyFacts['shell'][number], { readable: true }>, 'at' | 'readable'>;
type Command = ShellFact['commands'][number];

/** Some hundred lines; no command an agent types is longer. */
const LENGTH_MAX = 8_192;
const COMMANDS_MAX = 64;
const ARGUMENTS_MAX = 256;
const WORD_LENGTH_MAX = 4_096;
/** Substitutions in substitutions, and scripts handed to a shell. */
const DEPTH_MAX = 8;
/** Blanks that some locales take for a space, and controls that terminals and shells drop. */
const DOUBTFUL = /[^\S \t\n]|[\p{Cc}--[\t\n]]/v;

/** Words that stand before a command and are none. */
const BEFORE = new Set(['if', 'then', 'elif', 'else', 'while', 'until', 'do', '{', '!']);
const CLOSERS = new Set(['fi', 'done', '}']);
const UNREAD = new Set(['for', 'case', 'esac', 'select', 'function', 'coproc', 'in']);
/** Programs whose `-c` is a command line of its own. */
const SHELLS = new Set(['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh', 'mksh', 'busybox']);

/** Returns what a command line does, or undefined where it is not read. */
export function readShell(text: string): ShellFact | undefined {
  if (text.length > LENGTH_MAX || !text.isWellFormed() || DOUBTFUL.test(text)) return undefined;
  const reading: Reading = { commands: [], features: new Set() };
  try {
    readScript(text, reading, 0);
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
  const { commands, features } = reading;
  if (commands.length === 0 && features.size === 0) return undefined;
  return { commands, features: [...features] };
}

interface Reading {
  commands: Command[];
  features: Set<Feature>;
}

function readScript(text: string, reading: Reading, depth: number): void {
  if (depth > DEPTH_MAX) throw new Unreadable();
  let open = depth;
  const line: Line = {
    text,
    at: 0,
    features: reading.features,
    nested: () => {
      open += 1;
      if (open > DEPTH_MAX) throw new Unreadable();
      readList(line, reading, open, ')');
      open -= 1;
    },
    script: (inner) => readScript(inner, reading, depth + 1),
  };
  readList(line, reading, depth, '');
}

/** Reads commands up to the closing character, and steps over it; up to the end where it is empty. */
function readList(line: Line, reading: Reading, depth: number, end: ')' | ''): void {
  let separated = false;
  for (;;) {
    skipBlanks(line);
    const next = peek(line);
    if (next === end) {
      line.at += end.length;
      return;
    }
    if (next === '' || next === ')') throw new Unreadable();
    const separator = readSeparator(line);
    if (separator !== undefined) {
      separated ||= separator === ';' || separator === '\n' || separator === '&';
      continue;
    }
    if (separated && reading.commands.length > 0) reading.features.add('list');
    separated = false;
    readCommand(line, reading, depth);
  }
}

function skipBlanks(line: Line): void {
  for (;;) {
    const next = peek(line);
    if (next === ' ' || next === '\t') line.at += 1;
    else if (goesOn(line, '\\\n')) line.at += 2;
    else if (next === '#') {
      const end = line.text.indexOf('\n', line.at);
      line.at = end < 0 ? line.text.length : end;
    } else return;
  }
}

/** Steps over what stands between two commands and returns it, if the line stands at something of the kind. */
function readSeparator(line: Line): string | undefined {
  const operator = ['&&', '||', '|&', '|', '\n', ';', '&'].find((one) => goesOn(line, one));
  if (operator === undefined) return undefined;
  // `;;` belongs to `case`; `&>` redirects in one shell and runs in the background in another.
  if (goesOn(line, ';;') || goesOn(line, ';&') || goesOn(line, '&>')) throw new Unreadable();
  line.at += operator.length;
  if (operator === '&&' || operator === '||') line.features.add('list');
  if (operator === '|' || operator === '|&') line.features.add('pipe');
  if (operator === '&') line.features.add('background');
  return operator;
}

function readCommand(line: Line, reading: Reading, depth: number): void {
  if (goesOn(line, '((') || goesOn(line, '[[')) throw new Unreadable();
  if (peek(line) === '(') {
    line.at += 1;
    line.features.add('compound');
    line.nested();
    readRest(line);
    return;
  }
  const words: Word[] = [];
  const begin = line.at;
  for (let next = peek(line); !isEnd(next); next = peek(line)) {
    // Where a redirection leads is not among the facts; that there is one is.
    if (!readRedirect(line)) {
      const start = line.at;
      const word = readWord(line);
      // After a redirection or an assignment, a reserved word is the name of a command.
      if (start === begin && readReserved(line, word)) return;
      if (words.length === 0 && ASSIGNMENT.test(line.text.slice(start, line.at).replaceAll('\\\n', '')))
        line.features.add('assignment');
      else words.push(word);
    }
    skipBlanksInCommand(line);
  }
  if (peek(line) === '(') throw new Unreadable();
  if (words.length > 0) addCommand(words, reading, depth);
}

/** A comment begins only where a word could. */
function skipBlanksInCommand(line: Line): void {
  const at = line.at;
  while (peek(line) === ' ' || peek(line) === '\t' || goesOn(line, '\\\n'))
    line.at += peek(line) === '\\' ? 2 : 1;
  if (line.at > at && peek(line) === '#') skipBlanks(line);
}

function isEnd(next: string): boolean {
  return (
    next === '' ||
    next === '\n' ||
    next === ';' ||
    next === '&' ||
    next === '|' ||
    next === '(' ||
    next === ')'
  );
}

/** `NAME=value` before a command, with nothing of the name quoted. */
const ASSIGNMENT = /^[A-Za-z_][A-Za-z0-9_]*(\[[^\]]*\])?\+?=/;

/** Reads what follows a compound command: only redirections. */
function readRest(line: Line): void {
  skipBlanksInCommand(line);
  while (readRedirect(line)) skipBlanksInCommand(line);
  if (!isEnd(peek(line)) || peek(line) === '(') throw new Unreadable();
}

/** Steps over a reserved word; the command that follows it is read like any other. */
function readReserved(line: Line, { value, quoted }: Word): boolean {
  if (quoted || value === null) return false;
  if (UNREAD.has(value)) throw new Unreadable();
  if (CLOSERS.has(value)) {
    line.features.add('compound');
    readRest(line);
    return true;
  }
  if (!BEFORE.has(value)) return false;
  if (value !== '!') line.features.add('compound');
  return true;
}

const REDIRECT = /^([0-9]{1,4}|\{[A-Za-z_][A-Za-z0-9_]*\})?(<<<|<>|<&|>&|>>|>\||<|>)/;

/** Steps over one redirection, if the line stands at one. */
function readRedirect(line: Line): boolean {
  const start = line.text.slice(line.at, line.at + 80);
  if (/^[<>]\(/.test(start)) return false;
  if (start.startsWith('&>')) throw new Unreadable();
  const [whole] = REDIRECT.exec(start) ?? [];
  if (whole === undefined) return false;
  // A here-document goes on below the line, under a word of its own.
  if (/^[^<]*<<(?!<)/.test(start.slice(0, whole.length + 1))) throw new Unreadable();
  line.features.add('redirect');
  line.at += whole.length;
  skipBlanksInCommand(line);
  const before = line.at;
  readWord(line);
  if (line.at === before) throw new Unreadable();
  return true;
}

function addCommand([first, ...rest]: Word[], reading: Reading, depth: number): void {
  const name = first?.value ?? null;
  const values = rest.map(({ value }) => value);
  if (values.length > ARGUMENTS_MAX || reading.commands.length >= COMMANDS_MAX) throw new Unreadable();
  if ([name, ...values].some((value) => (value?.length ?? 0) > WORD_LENGTH_MAX)) throw new Unreadable();
  reading.commands.push({ name, arguments: values });
  const script = scriptOf(name, values);
  if (script === undefined) return;
  // A script that is put together when it runs cannot be read.
  if (script === null) throw new Unreadable();
  reading.features.add('substitution');
  readScript(script, reading, depth + 1);
}

/** Returns the script a command runs in a shell: undefined where there is none, null where it is not known. */
function scriptOf(name: string | null, values: (string | null)[]): string | null | undefined {
  const program = name?.split('/').at(-1) ?? '';
  if (program === 'eval') return values.includes(null) ? null : values.join(' ');
  if (!SHELLS.has(program)) return undefined;
  const flag = values.findIndex((value) => value === null || /^-[A-Za-z]*c[A-Za-z]*$/.test(value));
  if (flag < 0) return undefined;
  const script = values[flag] === null ? null : (values[flag + 1] ?? null);
  // More options may stand between `-c` and its script.
  return script === null || /^[-+]/.test(script) ? null : script;
}
