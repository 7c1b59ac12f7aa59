/**
 * Reads a shell command: which programs it would start, and what else it uses.
 *
 * A parser reads it as bash does. Of its tree, only the part on which POSIX shells and bash agree is used; a text with
 * anything else (here-documents, arithmetic, `case`, `for`, functions, arrays, extended patterns) is unreadable.
 */
import {
  type Assignment,
  type Command,
  type CommandNode,
  type CompoundList,
  type PipelineNode,
  parse,
  type Redirection,
  type Script,
  type Statement,
  type Word,
} from 'unbash';
import { startedBy } from './shell-starters.ts';
import { type Feature, readWord, type ShellFact, Unreadable } from './shell-word.ts';

export type { ShellFact } from './shell-word.ts';

/** Some hundred lines; no command of an agent is longer. */
const LENGTH_MAX = 8_192;
const COMMANDS_MAX = 64;
const ARGUMENTS_MAX = 256;
const WORD_LENGTH_MAX = 4_096;
/** Nested substitutions, and commands and scripts that are given to a program. */
const DEPTH_MAX = 8;
/** Blanks that count as a space in some locales, and control characters that terminals and shells drop. */
const DOUBTFUL = /[^\S \t\n]|[\p{Cc}--[\t\n]]/v;
/** The parser takes it for plain text; a shell expands it. */
const CONTINUED_NAME = '$\\\n';

/** Returns what a command line does, or undefined when it is unreadable. */
export function readShell(text: string): ShellFact | undefined {
  if (text.length > LENGTH_MAX || !text.isWellFormed() || DOUBTFUL.test(text)) return undefined;
  const commands: ShellFact['commands'] = [];
  const features = new Set<Feature>();
  try {
    readText(text, { commands, features, text, depth: 0 });
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
  if (commands.length === 0 && features.size === 0) return undefined;
  return { commands, features: [...features] };
}

interface Reading {
  readonly commands: ShellFact['commands'];
  readonly features: Set<Feature>;
  /** The text in which the positions of the tree count. */
  readonly text: string;
  readonly depth: number;
}

function readText(text: string, reading: Reading): void {
  if (text.includes(CONTINUED_NAME)) throw new Unreadable();
  readScript(parse(text), { ...reading, text });
}

function readScript(
  script: (Script & { errors?: readonly unknown[] | undefined }) | undefined,
  reading: Reading,
): void {
  if (script === undefined || script.errors !== undefined || reading.depth > DEPTH_MAX)
    throw new Unreadable();
  if (script.source?.includes(CONTINUED_NAME)) throw new Unreadable();
  const inside = { ...reading, text: script.source ?? reading.text };
  const { pos, end, commands } = script;
  const [first, last] = [commands.at(0), commands.at(-1)];
  gap(inside, BETWEEN, pos, first?.pos ?? end);
  gap(inside, BETWEEN, last?.end ?? end, end);
  readList(commands, inside);
}

/** Blanks, and what counts as one. */
const BLANK = String.raw`(?:[ \t]|\\\n)*`;
/** The same over several lines. */
const LINES = String.raw`(?:[ \t\n]|\\\n|#[^\n]*(?=\n|$))*`;
const NOTHING = /^$/;
const BETWEEN = new RegExp(`^${LINES}(?:;${LINES})?$`);
const AND_OR = new RegExp(`^${BLANK}(?:&&|\\|\\|)${LINES}$`);
const PIPE = new RegExp(`^${BLANK}\\|&?${LINES}$`);
const NOT = new RegExp(`^(?:!${BLANK})*$`);
const BACKGROUND = new RegExp(`^(?:${BLANK}&)?$`);
const OPENS = new RegExp(`^(?:[({]|if|while|until)${LINES}$`);
const GOES_ON = new RegExp(`^${LINES};?${LINES}(?:then|elif|else|do)${LINES}$`);
const CLOSES = new RegExp(`^${LINES};?${LINES}(?:[)}]|fi|done)$`);
const BEFORE_WORD = /^(?:\\\n)*[ \t](?:[ \t]|\\\n)*$/;
const BEFORE_REDIRECTION = new RegExp(`^${BLANK}$`);
/** Not `&>`, descriptors of two digits and named ones: shells differ about them. */
const REDIRECTS = new RegExp(`^[0-9]?(?:<<<|<>|<&|>&|>>|>\\||<|>)${BLANK}$`);

/** Checks the text between two parts of the tree: the parser skips what it cannot place. */
function gap({ text }: Reading, allowed: RegExp, from: number, to: number): void {
  if (from > to || !allowed.test(text.slice(from, to))) throw new Unreadable();
}

/** Checks the text between each two of several parts. */
function gaps(reading: Reading, allowed: RegExp, parts: readonly { pos: number; end: number }[]): void {
  for (const [index, part] of parts.entries()) {
    const before = parts[index - 1];
    if (before !== undefined) gap(reading, allowed, before.end, part.pos);
  }
}

function readList(statements: readonly Statement[], reading: Reading): void {
  if (statements.length > 1) reading.features.add('list');
  gaps(reading, BETWEEN, statements);
  for (const { command, background, pos, end } of statements) {
    gap(reading, NOTHING, pos, command.pos);
    gap(reading, background === true ? BACKGROUND : NOTHING, command.end, end);
    if (background === true) reading.features.add('background');
    if (command.type === 'AndOr') {
      reading.features.add('list');
      gaps(reading, AND_OR, command.commands);
      for (const one of command.commands) readPipeline(one, reading);
    } else readPipeline(command, reading);
  }
}

function readPipeline(pipeline: PipelineNode, reading: Reading): void {
  if (pipeline.type !== 'Pipeline') {
    readNode(pipeline, reading);
    return;
  }
  // `time` is a word of bash, and a program elsewhere.
  if (pipeline.prefixes.some(({ type }) => type !== 'Negation')) throw new Unreadable();
  if (pipeline.operators.length > 0) reading.features.add('pipe');
  gap(reading, NOT, pipeline.pos, pipeline.commands[0]?.pos ?? -1);
  gaps(reading, PIPE, pipeline.commands);
  for (const one of pipeline.commands) readNode(one, reading);
}

function readNode(node: CommandNode, reading: Reading): void {
  switch (node.type) {
    case 'Command':
      readCommand(node, reading);
      return;
    case 'Redirected':
      readNode(node.command, reading);
      gaps(reading, BEFORE_REDIRECTION, [node.command, ...node.redirects]);
      for (const one of node.redirects) readRedirection(one, reading);
      return;
    case 'Subshell':
      // Two parentheses are arithmetic in one shell, and commands in another.
      if (reading.text.startsWith('((', node.pos)) throw new Unreadable();
      readCompound(node, [node.body], reading);
      return;
    case 'BraceGroup':
      readCompound(node, [node.body], reading);
      return;
    case 'If': {
      const elifs = node.elif.flatMap(({ clause, then }) => [clause, then]);
      const last = node.else === undefined ? [] : [node.else];
      readCompound(node, [node.clause, node.then, ...elifs, ...last], reading);
      return;
    }
    case 'While':
      readCompound(node, [node.clause, node.body], reading);
      return;
    default:
      throw new Unreadable();
  }
}

type Compound = Extract<CommandNode, { type: 'Subshell' | 'BraceGroup' | 'If' | 'While' }>;

function readCompound({ type, pos, end }: Compound, lists: CompoundList[], reading: Reading): void {
  const depth = reading.depth + 1;
  if (depth > DEPTH_MAX) throw new Unreadable();
  reading.features.add('compound');
  // Only separators may stand between these words and the commands.
  if (type !== 'Subshell') reading.features.add('list');
  let at = pos;
  for (const [index, { commands }] of lists.entries()) {
    gap(reading, index === 0 ? OPENS : GOES_ON, at, commands.at(0)?.pos ?? -1);
    readList(commands, { ...reading, depth });
    at = commands.at(-1)?.end ?? end;
  }
  gap(reading, CLOSES, at, end);
}

function readCommand({ name, prefix, suffix, pos, end }: Command, reading: Reading): void {
  const parts = [...prefix, ...(name === undefined ? [] : [name]), ...suffix];
  for (const [index, part] of parts.entries()) {
    // After a word, `<` needs no blank before it; `2<` and another word do.
    const bare = 'operator' in part && part.descriptor === undefined;
    const before = parts[index - 1];
    if (before === undefined) gap(reading, NOTHING, pos, part.pos);
    else gap(reading, bare ? BEFORE_REDIRECTION : BEFORE_WORD, before.end, part.pos);
  }
  gap(reading, NOTHING, parts.at(-1)?.end ?? -1, end);
  for (const one of prefix) {
    if (one.type !== 'Assignment') readRedirection(one, reading);
    else {
      readAssignment(one, reading);
      reading.features.add('assignment');
    }
  }
  const first = name === undefined ? null : wordOf(name, reading);
  const values: (string | null)[] = [];
  for (const one of suffix) {
    if (one.type === 'Word') values.push(wordOf(one, reading));
    else if (one.type === 'Assignment') values.push(readAssignment(one, reading));
    else readRedirection(one, reading);
  }
  if (name !== undefined) addCommand(first, values, reading);
  else if (values.length > 0) throw new Unreadable();
}

function wordOf(word: Word, reading: Reading): string | null {
  const nested = (script: Script | undefined) => readScript(script, { ...reading, depth: reading.depth + 1 });
  return readWord(word, { features: reading.features, nested });
}

/** Reads `NAME=value`, also as the argument of a command. Only bash has arrays and `+=`: they are unreadable. */
function readAssignment({ name, text, value, append, index }: Assignment, reading: Reading): string | null {
  if (value.type !== 'Word' || append === true || index !== undefined) throw new Unreadable();
  if (`${name}=${value.text}` !== text) throw new Unreadable();
  const known = wordOf(value, reading);
  return known === null ? null : `${name}=${known}`;
}

/** A redirection is a feature; its target is not among the facts. */
function readRedirection(redirection: Redirection, reading: Reading): void {
  // A here-document continues below the line.
  if (redirection.type === 'HereDoc' || redirection.target === undefined) throw new Unreadable();
  const { pos, end, target } = redirection;
  gap(reading, REDIRECTS, pos, target.pos);
  // After `>&`, bash expands quoted text a second time.
  if (/[<>]&/.test(redirection.operator) && !/^[0-9-]$/.test(target.text)) throw new Unreadable();
  gap(reading, NOTHING, target.end, end);
  reading.features.add('redirect');
  wordOf(target, reading);
}

function addCommand(name: string | null, values: readonly (string | null)[], reading: Reading): void {
  if (reading.depth > DEPTH_MAX) throw new Unreadable();
  if (values.length > ARGUMENTS_MAX || reading.commands.length >= COMMANDS_MAX) throw new Unreadable();
  if ([name, ...values].some((value) => (value?.length ?? 0) > WORD_LENGTH_MAX)) throw new Unreadable();
  reading.commands.push({ name, arguments: [...values] });
  const within = { ...reading, depth: reading.depth + 1 };
  for (const started of startedBy(name, values)) {
    if (started.is === 'script') {
      reading.features.add('substitution');
      readText(started.text, within);
    } else {
      const [program = null, ...words] = started.words;
      addCommand(program, words, within);
    }
  }
}
