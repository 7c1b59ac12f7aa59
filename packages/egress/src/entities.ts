/**
 * HTML's character references (HTML §13.5), as far as escaping functions write them: numbers in decimal and hexadecimal,
 * and the names of ASCII and Latin-1 characters. A semicolon may be missing where HTML lets it.
 */
import { type Escape, fill, hexDigit } from './escapes.ts';

const NUMBER_SIGN = 0x23;
const SEMICOLON = 0x3b;
const LETTER_X = 0x58;
const LOWER_CASE = 0x20;
const LAST_CODE = 0x10ffff;
/** `&#1114111;` has seven digits; more are leading zeros. */
const DIGITS_MAX = 10;

/** Names that count without a semicolon, too. */
const OLD_NAMES: Readonly<Record<string, number>> = {
  ...{ amp: 0x26, AMP: 0x26, lt: 0x3c, LT: 0x3c, gt: 0x3e, GT: 0x3e, quot: 0x22, QUOT: 0x22 },
  ...latin1(
    'nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para ' +
      'middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave ' +
      'Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute ' +
      'Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave ' +
      'iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml',
  ),
};
const NAMES: Readonly<Record<string, number>> = {
  ...{ apos: 0x27, Tab: 0x09, NewLine: 0x0a, excl: 0x21, num: 0x23, dollar: 0x24, percnt: 0x25, lpar: 0x28 },
  ...{ rpar: 0x29, ast: 0x2a, midast: 0x2a, plus: 0x2b, comma: 0x2c, period: 0x2e, sol: 0x2f, colon: 0x3a },
  ...{
    semi: 0x3b,
    equals: 0x3d,
    quest: 0x3f,
    commat: 0x40,
    lsqb: 0x5b,
    lbrack: 0x5b,
    bsol: 0x5c,
    rsqb: 0x5d,
  },
  ...{ rbrack: 0x5d, Hat: 0x5e, lowbar: 0x5f, UnderBar: 0x5f, grave: 0x60, DiacriticalGrave: 0x60 },
  ...{ lcub: 0x7b, lbrace: 0x7b, verbar: 0x7c, vert: 0x7c, VerticalLine: 0x7c, rcub: 0x7d, rbrace: 0x7d },
};

interface Letter {
  next: Map<number, Letter>;
  /** What the name up to here stands for. */
  code: number | undefined;
  needsSemicolon: boolean;
}

const ROOT: Letter = { next: new Map(), code: undefined, needsSemicolon: true };
for (const [name, code] of Object.entries(NAMES)) addName(name, code, true);
for (const [name, code] of Object.entries(OLD_NAMES)) addName(name, code, false);

/** Reads the character reference at an ampersand. Returns false where there is none. */
export function readEntity(source: Uint8Array, at: number, found: Escape): boolean {
  return source[at + 1] === NUMBER_SIGN ? readNumber(source, at, found) : readName(source, at, found);
}

function readNumber(source: Uint8Array, at: number, found: Escape): boolean {
  const isHex = ((source[at + 2] ?? 0) & ~LOWER_CASE) === LETTER_X;
  const begin = at + (isHex ? 3 : 2);
  let code = 0;
  let end = begin;
  for (; end < begin + DIGITS_MAX; end += 1) {
    const digit = hexDigit(source[end] ?? 0);
    if (digit < 0 || (!isHex && digit > 9)) break;
    code = code * (isHex ? 16 : 10) + digit;
  }
  if (end === begin || code > LAST_CODE || (code >= 0xd800 && code <= 0xdfff)) return false;
  return fill(found, code, end + (source[end] === SEMICOLON ? 1 : 0) - at);
}

/** The longest name counts. */
function readName(source: Uint8Array, at: number, found: Escape): boolean {
  let isFound = false;
  let end = at + 1;
  for (let letter = ROOT.next.get(source[end] ?? 0); letter !== undefined; ) {
    end += 1;
    const hasSemicolon = source[end] === SEMICOLON;
    if (letter.code !== undefined && (hasSemicolon || !letter.needsSemicolon))
      isFound = fill(found, letter.code, end + (hasSemicolon ? 1 : 0) - at);
    letter = letter.next.get(source[end] ?? 0);
  }
  return isFound;
}

function addName(name: string, code: number, needsSemicolon: boolean): void {
  let letter = ROOT;
  for (const character of Buffer.from(name)) {
    const next = letter.next.get(character) ?? { next: new Map(), code: undefined, needsSemicolon: true };
    letter.next.set(character, next);
    letter = next;
  }
  letter.code = code;
  letter.needsSemicolon = needsSemicolon;
}

/** The names of the characters from U+00A0 to U+00FF, in their order. */
function latin1(names: string): Record<string, number> {
  return Object.fromEntries(names.split(' ').map((name, index) => [name, 0xa0 + index]));
}
