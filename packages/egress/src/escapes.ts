/** Escapes by backslash and percent sign, as their readers decode them. Each looks at a bounded number of bytes. */

/** What an escape stands for: a character, or one byte of it. It is filled in place, since texts hold millions of them. */
export type Escape = { code: number; isByte: boolean; length: number };

const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const LETTER_U = 0x75;
const LETTER_X = 0x78;
const LAST_CODE = 0x10ffff;
/** `\u{10FFFF}` has six digits; more are leading zeros. */
const BRACED_DIGITS = 8;
const SIMPLE_ESCAPES = new Uint8Array(256);
for (const [letter, meaning] of Object.entries({
  ...{ '"': '"', "'": "'", '`': '`', '\\': '\\', '/': '/' },
  ...{ b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' },
}))
  SIMPLE_ESCAPES[letter.charCodeAt(0)] = meaning.charCodeAt(0);

/** Reads what JSON (RFC 8259 §7), JavaScript or Python has at a backslash. Returns false where there is no found. */
export function readBackslash(source: Uint8Array, at: number, found: Escape): boolean {
  const letter = source[at + 1] ?? 0;
  if (letter === LETTER_X) return readByte(source, at, found, 2);
  if (letter === LETTER_U) return readUnicode(source, at, found);
  const meaning = SIMPLE_ESCAPES[letter] ?? 0;
  return meaning !== 0 && fill(found, meaning, 2);
}

/** Reads the two digits after a percent sign (RFC 3986 §2.1). Returns false where there are none. */
export function readPercent(source: Uint8Array, at: number, found: Escape): boolean {
  return readByte(source, at, found, 1);
}

function readByte(source: Uint8Array, at: number, found: Escape, before: number): boolean {
  const byte = readHex(source, at + before, 2);
  if (byte < 0) return false;
  found.isByte = true;
  found.code = byte;
  found.length = before + 2;
  return true;
}

/** `\uXXXX`, a surrogate pair as one character, and `\u{X…}`. */
function readUnicode(source: Uint8Array, at: number, found: Escape): boolean {
  if (source[at + 2] === OPEN_BRACE) return readBraced(source, at, found);
  const first = readHex(source, at + 2, 4);
  if (first < 0) return false;
  if (first < 0xd800 || first > 0xdfff) return fill(found, first, 6);
  const isPair = first <= 0xdbff && source[at + 6] === BACKSLASH && source[at + 7] === LETTER_U;
  const second = isPair ? readHex(source, at + 8, 4) : -1;
  if (second < 0xdc00 || second > 0xdfff) return false;
  return fill(found, 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00), 12);
}

function readBraced(source: Uint8Array, at: number, found: Escape): boolean {
  let code = 0;
  let end = at + 3;
  for (; end < at + 3 + BRACED_DIGITS; end += 1) {
    const digit = hexDigit(source[end] ?? 0);
    if (digit < 0) break;
    code = code * 16 + digit;
  }
  const isWhole = end > at + 3 && source[end] === CLOSE_BRACE && code <= LAST_CODE;
  return isWhole && fill(found, code, end + 1 - at);
}

/** Fills in a character. */
export function fill(found: Escape, code: number, length: number): true {
  found.isByte = false;
  found.code = code;
  found.length = length;
  return true;
}

/** The number that so many hexadecimal digits say, or -1 where there are none. */
function readHex(source: Uint8Array, at: number, digits: number): number {
  let value = 0;
  for (let index = at; index < at + digits; index += 1) {
    const digit = hexDigit(source[index] ?? 0);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/** The value of a hexadecimal digit, or -1. */
export function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
