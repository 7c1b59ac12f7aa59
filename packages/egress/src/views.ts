/**
 * A body as a reader would decode it, with a map back: every byte of a view is mapped to its bytes in the original. A
 * secret that was escaped byte by byte, in any mixture, is plain in one of the views.
 */

/** Decoded bytes, mapped to their parent by pieces: one for each escape and one for each run between two escapes. */
export type View = { bytes: Buffer; origin: { parent: View; pieces: Pieces } | undefined };

/**
 * The bytes that matter, as a table of 256. An escape of another byte cannot be part of a secret and is left unchanged;
 * where no escape matters there is no view, which makes ordinary bodies cheap.
 */
export type Relevant = Uint8Array;

/** Parallel lists, ascending: where a piece begins in the view, and its range in the parent. */
type Pieces = { at: number[]; from: number[]; to: number[] };

const BACKSLASH = 0x5c;
const PERCENT = 0x25;
const PLUS = 0x2b;
const SPACE = 0x20;
const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const LETTER_U = 0x75;
const SIMPLE_ESCAPES: ReadonlyMap<number, number> = new Map(
  Object.entries({ '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }).map(
    ([letter, meaning]) => [letter.charCodeAt(0), meaning.charCodeAt(0)],
  ),
);

/** The original as a view of itself. */
export function rawView(bytes: Uint8Array): View {
  return { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), origin: undefined };
}

/** Returns the range of the original for a range of a view; an escape is inside as a whole or not at all. */
export function originalRange(
  { bytes, origin }: View,
  start: number,
  end: number,
): readonly [number, number] {
  if (origin === undefined) return [start, end];
  const { parent, pieces } = origin;
  const length = bytes.length;
  return originalRange(parent, parentStart(pieces, start, length), parentEnd(pieces, end - 1, length));
}

/** Returns a view with JSON string escapes decoded (RFC 8259 §7), or `undefined` where none matters. */
export function unescapeJson(view: View, relevant: Relevant): View | undefined {
  return rewrite(view, { triggers: [BACKSLASH], relevant }, (source, at) => {
    const letter = source[at + 1] ?? 0;
    if (letter === LETTER_U) return readUnicode(source, at);
    const meaning = SIMPLE_ESCAPES.get(letter);
    return meaning === undefined ? undefined : { meaning, length: 2 };
  });
}

/** Returns a view with percent-encoding decoded, or `undefined` where none matters. */
export function unescapePercent(
  view: View,
  { plusIsSpace, relevant }: { plusIsSpace: boolean; relevant: Relevant },
): View | undefined {
  const triggers = plusIsSpace ? [PERCENT, PLUS] : [PERCENT];
  return rewrite(view, { triggers, relevant }, (source, at) => {
    if (source[at] === PLUS) return { meaning: SPACE, length: 1 };
    const meaning = readHex(source, at + 1, 2);
    return meaning === undefined ? undefined : { meaning, length: 3 };
  });
}

/** Returns a view without line ends and indents inside base64 (RFC 2045 §6.8), or `undefined` where there are none. */
export function joinLines(view: View): View | undefined {
  return rewrite(view, { triggers: [LINE_FEED, CARRIAGE_RETURN], relevant: undefined }, (source, at) => {
    if (!isBase64(source[at - 1])) return undefined;
    let end = at + 1;
    while (isBlank(source[end])) end += 1;
    return isBase64(source[end]) ? { meaning: NOTHING, length: end - at } : undefined;
  });
}

/** A character of either base64 alphabet. */
export function isBase64(code: number | undefined): boolean {
  return code !== undefined && BASE64[code] === 1;
}

const BASE64 = new Uint8Array(256);
for (const code of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_'))
  BASE64[code] = 1;

function isBlank(code: number | undefined): boolean {
  return code === SPACE || code === TAB || code === LINE_FEED || code === CARRIAGE_RETURN;
}

/** An escape: the byte or the text it stands for, and its length in the source; `undefined` if it is none. */
type Escape = { meaning: number | Buffer; length: number } | undefined;

const NOTHING = Buffer.alloc(0);

/** Copies the bytes between escapes in runs. No escape stands for more bytes than it has, so the buffer is large enough. */
function rewrite(
  parent: View,
  { triggers, relevant }: { triggers: readonly number[]; relevant: Relevant | undefined },
  readEscape: (source: Buffer, at: number) => Escape,
): View | undefined {
  const source = parent.bytes;
  const bytes = Buffer.allocUnsafe(source.length);
  const pieces: Pieces = { at: [], from: [], to: [] };
  const next = nextOf(source, triggers);
  let length = 0;
  let run = 0;
  for (let at = next(0); at < source.length; ) {
    const found = readEscape(source, at);
    if (found === undefined || !matters(found.meaning, relevant)) {
      at = next(at + (found?.length ?? 1));
      continue;
    }
    length = copyRun(bytes, pieces, { source, from: run, to: at, length });
    run = at + found.length;
    addPiece(pieces, length, at, run);
    length += writeMeaning(bytes, length, found.meaning);
    at = next(run);
  }
  if (run === 0) return undefined;
  length = copyRun(bytes, pieces, { source, from: run, to: source.length, length });
  return { bytes: bytes.subarray(0, length), origin: { parent, pieces } };
}

function matters(meaning: number | Buffer, relevant: Relevant | undefined): boolean {
  return relevant === undefined || relevant[typeof meaning === 'number' ? meaning : (meaning[0] ?? 0)] === 1;
}

/** Finds the nearest trigger at or after an index; the next index of a trigger is searched only when it was passed. */
function nextOf(source: Buffer, triggers: readonly number[]): (from: number) => number {
  const places = triggers.map(() => -1);
  return (from) => {
    let nearest = source.length;
    for (let index = 0; index < triggers.length; index += 1) {
      let place = places[index] ?? -1;
      if (place < from) {
        const found = source.indexOf(triggers[index] ?? 0, from);
        place = found === -1 ? source.length : found;
        places[index] = place;
      }
      if (place < nearest) nearest = place;
    }
    return nearest;
  };
}

type Run = { source: Buffer; from: number; to: number; length: number };

/** Below this, a loop is faster than a call. */
const SHORT_RUN_BYTES = 32;

function copyRun(bytes: Buffer, pieces: Pieces, { source, from, to, length }: Run): number {
  if (to === from) return length;
  addPiece(pieces, length, from, to);
  if (to - from >= SHORT_RUN_BYTES) source.copy(bytes, length, from, to);
  else for (let at = from; at < to; at += 1) bytes[length + at - from] = source[at] ?? 0;
  return length + to - from;
}

function writeMeaning(bytes: Buffer, at: number, meaning: number | Buffer): number {
  if (typeof meaning !== 'number') return meaning.copy(bytes, at);
  bytes[at] = meaning;
  return 1;
}

function addPiece(pieces: Pieces, at: number, from: number, to: number): void {
  pieces.at.push(at);
  pieces.from.push(from);
  pieces.to.push(to);
}

function parentStart(pieces: Pieces, place: number, length: number): number {
  const piece = readPiece(pieces, place, length);
  return piece.copied ? piece.from + place - piece.at : piece.from;
}

function parentEnd(pieces: Pieces, lastPlace: number, length: number): number {
  const piece = readPiece(pieces, lastPlace, length);
  return piece.copied ? piece.from + lastPlace - piece.at + 1 : piece.to;
}

/** The last piece that begins at or before a place: empty pieces at the same place come before it. */
function readPiece({ at, from, to }: Pieces, place: number, length: number) {
  let low = 0;
  let high = at.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((at[middle] ?? 0) <= place) low = middle;
    else high = middle - 1;
  }
  const begin = at[low] ?? 0;
  const piece = { at: begin, from: from[low] ?? 0, to: to[low] ?? 0 };
  return { ...piece, copied: piece.to - piece.from === (at[low + 1] ?? length) - begin };
}

/** `\uXXXX`, a surrogate pair as one character, as UTF-8. */
function readUnicode(source: Uint8Array, at: number): Escape {
  const first = readHex(source, at + 2, 4);
  if (first === undefined) return undefined;
  if (first < 0x80) return { meaning: first, length: 6 };
  const second = isEscape(source, at + 6) ? readHex(source, at + 8, 4) : undefined;
  const paired = isHighSurrogate(first) && second !== undefined && isLowSurrogate(second);
  const text = paired ? String.fromCharCode(first, second) : String.fromCharCode(first);
  return { meaning: Buffer.from(text, 'utf8'), length: paired ? 12 : 6 };
}

function isEscape(source: Uint8Array, at: number): boolean {
  return source[at] === BACKSLASH && source[at + 1] === LETTER_U;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}

function readHex(source: Uint8Array, at: number, digits: number): number | undefined {
  let value = 0;
  for (let index = at; index < at + digits; index += 1) {
    const digit = hexDigit(source[index] ?? 0);
    if (digit === undefined) return undefined;
    value = value * 16 + digit;
  }
  return value;
}

function hexDigit(code: number): number | undefined {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : undefined;
}
