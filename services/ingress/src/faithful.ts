/** Deeper answers end the stack of who reads or writes them; real APIs stay below thirty. */
const DEPTH_MAX = 128;
/** Every integer written in fewer characters than this is held exactly. */
const SHORT_NUMBER = 16;
const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const INTEGER = /^-?\d+$/;
const COMMA = 0x2c;
/** JSON's white space is 9, 10, 13 and 32; no other character up to this one occurs between tokens. */
const LAST_SPACE = 0x20;
const NUMBER = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/**
 * Whether well-formed JSON says the same after it was read and written again: every digit counts, no member hides another
 * of its name, and it is not too deep.
 */
export function isFaithful(text: string): boolean {
  const names: Set<string>[] = [];
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at);
    const isNumber = code === MINUS || (code >= ZERO && code <= NINE);
    const end = code === QUOTE ? endOfString(text, at) : isNumber ? endOfNumber(text, at) : at + 1;
    if (code === OPEN_OBJECT || code === OPEN_ARRAY) names.push(new Set());
    else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) names.pop();
    else if (isNumber && !isExact(text.slice(at, end))) return false;
    else if (code === QUOTE && isName(text, end) && !isNew(text.slice(at, end), names.at(-1))) return false;
    if (names.length > DEPTH_MAX) return false;
    at = end;
  }
  return true;
}

/** The end of a string, of which the opening quote is at `start`. A pattern would end the stack at a long one. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let before = quote - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    if ((quote - before) % 2 === 1) return quote + 1;
  }
  return text.length;
}

/** A number ends at a comma, a bracket or white space. */
function endOfNumber(text: string, start: number): number {
  let end = start + 1;
  for (let code = text.charCodeAt(end); code > LAST_SPACE; code = text.charCodeAt(end)) {
    if (code === COMMA || code === CLOSE_ARRAY || code === CLOSE_OBJECT) break;
    end += 1;
  }
  return end;
}

function isName(text: string, end: number): boolean {
  let at = end;
  while (text.charCodeAt(at) <= LAST_SPACE) at += 1;
  return text.charCodeAt(at) === COLON;
}

/** `"a"` and `"\u0061"` are the same member. */
function isNew(string: string, names: Set<string> | undefined): boolean {
  const name = string.includes('\\') ? String(JSON.parse(string)) : string.slice(1, -1);
  if (names?.has(name) === true) return false;
  names?.add(name);
  return true;
}

function isExact(token: string): boolean {
  if (token.length < SHORT_NUMBER && INTEGER.test(token)) return true;
  const written = String(Number(token));
  return written === token || digitsOf(written) === digitsOf(token);
}

/** The significant digits of a number and their place: equal for two spellings of one value. */
function digitsOf(token: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(token) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return NUMBER.test(token) ? '0' : token;
  const place = Number(exponent) - fraction.length + digits.length - significant.length;
  return `${token.startsWith('-') ? '-' : ''}${significant}e${place}`;
}
