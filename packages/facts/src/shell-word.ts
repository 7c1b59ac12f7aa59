/**
 * Words of a shell command line: their value where it is known before the command runs, and which features they use.
 *
 * The parser reads as bash does and guesses in some cases. So nothing of its tree is used unchecked: the parts of a
 * word must make up its whole text, and a part counts as plain text only when nothing in it could expand.
 */
import type { PolicyFacts } from '@interlock/contracts';
import type { Script, WordPart } from 'unbash';

/** Thrown for syntax errors, and for constructs that shells read differently. */
export class Unreadable extends Error {}

export type ShellFact = Omit<Extract<PolicyFacts['shell'][number], { readable: true }>, 'at' | 'readable'>;
export type Feature = ShellFact['features'][number];

/** A word, or the text of an assignment behind its name. */
interface Text {
  readonly text: string;
  readonly parts?: readonly WordPart[] | undefined;
}

/** What a word adds to its command, besides its value. */
export interface WordUse {
  readonly features: Set<Feature>;
  /** Reads the commands of a substitution. */
  readonly nested: (script: Script | undefined) => void;
}

/** Returns the value of a word, or null when it is known only at run time. */
export function readWord(word: Text, use: WordUse): string | null {
  // A word of `[` alone is the name of a command.
  if (word.text === '[') return word.text;
  const building: Building = { ...use, value: '', known: true, bare: '' };
  readParts(word.text, word.parts, building);
  if (expandsBraces(building.bare)) unknown(building, 'expansion');
  return building.known ? building.value : null;
}

/** `{a,b}` and `{1..3}` are several words, also where quotes or expansions stand between the braces. */
function expandsBraces(bare: string): boolean {
  const inside = bare.slice(bare.indexOf('{') + 1, Math.max(0, bare.lastIndexOf('}')));
  return bare.includes('{') && (inside.includes(',') || inside.includes('..'));
}

interface Building extends WordUse {
  value: string;
  known: boolean;
  /** The unquoted characters, in which braces and tildes expand. */
  bare: string;
}

function unknown(building: Building, feature: Feature): void {
  building.features.add(feature);
  building.known = false;
}

function readParts(text: string, parts: readonly WordPart[] | undefined, building: Building): void {
  if (parts === undefined) {
    readBare(text, building);
    return;
  }
  if (parts.map((part) => part.text).join('') !== text) throw new Unreadable();
  for (const part of parts) {
    // Before a quote or an expansion, shells differ about a `$` alone.
    if (part !== parts.at(-1) && part.type === 'Literal' && part.text.endsWith('$')) throw new Unreadable();
    readPart(part, building);
  }
}

function readPart(part: WordPart, building: Building): void {
  switch (part.type) {
    case 'Literal':
      readBare(part.text, building);
      return;
    case 'SingleQuoted':
      if (!/^'[^']*'$/.test(part.text)) throw new Unreadable();
      building.value += part.text.slice(1, -1);
      return;
    case 'DoubleQuoted':
      readQuoted(part.text.slice(1, -1), part.parts, building);
      return;
    case 'LocaleString':
      unknown(building, 'expansion');
      readQuoted(part.text.slice(2, -1), part.parts, building);
      return;
    case 'AnsiCQuoted':
      // Where the `$` means nothing, neither does a backslash, and the quote ends here.
      if (!/^\$'[^']*'$/.test(part.text)) throw new Unreadable();
      unknown(building, 'expansion');
      return;
    case 'Glob':
    case 'BraceExpansion':
      unknown(building, part.type === 'Glob' ? 'glob' : 'expansion');
      if (part.parts !== undefined) readParts(part.text.slice(1, -1), part.parts, building);
      else readBare(part.text, building);
      return;
    default:
      readExpansion(part, building);
  }
}

/** Unquoted text that stands for itself, also a `$` before what it cannot expand. */
const BARE = /^(?:[^\\`'"$ \t\n;&|()<>]|\\[\s\S]|\$(?![A-Za-z0-9_@*#?!$({['"\\-]))*$/;
/** The same between double quotes. */
const QUOTED = /^(?:[^\\`"$]|\\[\s\S]|\$(?![A-Za-z0-9_@*#?!$({[\\-]))*$/;

function readBare(text: string, building: Building): void {
  if (!BARE.test(text)) throw new Unreadable();
  const bare = text.replace(/\\[\s\S]/g, '');
  if (/[*?[]/.test(bare)) unknown(building, 'glob');
  // A tilde is a folder at the beginning of a word and after each sign; right after a quote it counts as one too.
  if (/[=:]~/.test((building.bare.at(-1) ?? '') + bare) || bare.startsWith('~'))
    unknown(building, 'expansion');
  building.bare += bare;
  building.value += text.replace(/\\([\s\S])/g, (_, next: string) => (next === '\n' ? '' : next));
}

function readQuoted(text: string, parts: readonly WordPart[], building: Building): void {
  if (parts.map((part) => part.text).join('') !== text) throw new Unreadable();
  for (const part of parts) {
    if (part.type !== 'Literal') readExpansion(part, building);
    else {
      if (!QUOTED.test(part.text) || (part !== parts.at(-1) && part.text.endsWith('$')))
        throw new Unreadable();
      building.value += part.text.replace(/\\([$`"\\\n])/g, (_, next: string) => (next === '\n' ? '' : next));
    }
  }
}

const NAME = /^\$([A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])$/;
/** `${name}` and simple forms of it. In the others shells differ about how quotes and substitutions nest. */
const BRACED = /^\$\{[#!]?[A-Za-z0-9_@*#?$!-]{1,64}([:=+?%/^,@-][^{}$`'"\\]{0,256})?\}$/;

function readExpansion(part: WordPart, building: Building): void {
  switch (part.type) {
    case 'SimpleExpansion':
    case 'ParameterExpansion':
      if (!NAME.test(part.text) && !BRACED.test(part.text)) throw new Unreadable();
      unknown(building, 'expansion');
      return;
    case 'CommandExpansion':
    case 'ProcessSubstitution':
      // Two parentheses are arithmetic in one shell and commands in another; only the newest bash has braces here.
      if (!/^([$<>]\((?!\()|`)/.test(part.text)) throw new Unreadable();
      unknown(building, 'substitution');
      building.nested(part.script);
      return;
    default:
      throw new Unreadable();
  }
}
