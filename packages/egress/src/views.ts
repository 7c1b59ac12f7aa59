/**
 * A text as its readers would decode it, with a map back: every byte of a view knows which bytes of the original it
 * came from. A secret that was escaped is plain in one of the views.
 *
 * W1. Each view is made in one pass, and reading an escape looks at a bounded number of bytes.
 */
import { readEntity } from './entities.ts';
import { type Escape, readBackslash, readPercent } from './escapes.ts';

/** Decoded bytes. Byte `i` stands for the original's bytes from `from[i]` to `to[i]`; of an escape that is more than one. */
export type View = { bytes: Uint8Array; from: Uint32Array; to: Uint32Array };

/** The kinds of escapes, as bits. */
export const BACKSLASHES = 1;
export const PERCENTS = 2;
export const ENTITIES = 4;
export const ALL_ESCAPES = BACKSLASHES | PERCENTS | ENTITIES;

/**
 * The bytes that matter, as a table of 256. An escape of another byte cannot be part of a secret and is left unchanged;
 * where no escape matters there is no view, which makes ordinary texts cheap.
 */
export type Relevant = Uint8Array;

const BACKSLASH = 0x5c;
const PERCENT = 0x25;
const AMPERSAND = 0x26;
const SPACE = 0x20;
const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const KIND = new Uint8Array(256);
KIND[BACKSLASH] = BACKSLASHES;
KIND[PERCENT] = PERCENTS;
KIND[AMPERSAND] = ENTITIES;

const BEGINNINGS = [BACKSLASH, PERCENT, AMPERSAND];

/** Returns a part of the original as a view of itself. */
export function rawView(bytes: Uint8Array, start: number, end: number): View {
  const length = end - start;
  const from = new Uint32Array(length);
  const to = new Uint32Array(length);
  for (let at = 0; at < length; at += 1) {
    from[at] = start + at;
    to[at] = start + at + 1;
  }
  return { bytes: bytes.subarray(start, end), from, to };
}

/** Returns the range of the original for a range of a view; an escape is inside as a whole or not at all. */
export function originalRange({ from, to }: View, start: number, end: number): readonly [number, number] {
  return [from[start] ?? 0, to[end - 1] ?? 0];
}

/**
 * Returns a view with the escapes of some kinds decoded once, and which kinds were there; `undefined` where none matters.
 * Backslashes: JSON (RFC 8259 §7) and what JavaScript and Python have besides. Percents: RFC 3986 §2.1. Entities: HTML.
 */
export function decode(
  view: View,
  kinds: number,
  relevant: Relevant,
): (View & { kinds: number }) | undefined {
  const source = view.bytes;
  if (!hasAny(source, BEGINNINGS)) return undefined;
  const found: Escape = { code: 0, isByte: false, length: 0 };
  let seen = 0;
  let rewriting: Rewriting | undefined;
  for (let at = 0; at < source.length; ) {
    const kind = (KIND[source[at] ?? 0] ?? 0) & kinds;
    if (kind === 0 || !readEscape(kind, source, at, found)) {
      at += 1;
      continue;
    }
    if (relevant[firstByte(found)] === 1) {
      seen |= kind;
      rewriting ??= new Rewriting(view);
      rewriting.copyUntil(at);
      rewriting.replace(found);
    }
    at += found.length;
  }
  return rewriting === undefined ? undefined : { ...rewriting.finish(), kinds: seen };
}

/** Returns a view without line ends and indents inside base64 (RFC 2045 §6.8), or `undefined` where there are none. */
export function joinLines(view: View): View | undefined {
  return without(view, LINE_ENDS, (source, at) => {
    if (!isLineEnd(source[at]) || !isBase64(source[at - 1])) return 0;
    let end = at + 1;
    while (isBlank(source[end])) end += 1;
    return isBase64(source[end]) ? end - at : 0;
  });
}

/** Returns a view without zeros, in which UTF-16 and UTF-32 of ASCII are plain; `undefined` where there are none. */
export function joinWide(view: View): View | undefined {
  return without(view, ZERO, (source, at) => (source[at] === 0 ? 1 : 0));
}

/** A character of either base64 alphabet. */
export function isBase64(code: number | undefined): boolean {
  return code !== undefined && BASE64[code] === 1;
}

const BASE64 = new Uint8Array(256);
for (const code of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_'))
  BASE64[code] = 1;

function isLineEnd(code: number | undefined): boolean {
  return code === LINE_FEED || code === CARRIAGE_RETURN;
}

/** The runtime's own search is many times faster than a loop over bytes. */
function hasAny(source: Uint8Array, codes: readonly number[]): boolean {
  return codes.some((code) => source.includes(code));
}

function isBlank(code: number | undefined): boolean {
  return code === SPACE || code === TAB || isLineEnd(code);
}

const LINE_ENDS = [LINE_FEED, CARRIAGE_RETURN];
const ZERO = [0];

function without(
  view: View,
  beginnings: readonly number[],
  lengthAt: (source: Uint8Array, at: number) => number,
): View | undefined {
  const source = view.bytes;
  if (!hasAny(source, beginnings)) return undefined;
  let rewriting: Rewriting | undefined;
  for (let at = 0; at < source.length; ) {
    const length = lengthAt(source, at);
    if (length > 0) {
      rewriting ??= new Rewriting(view);
      rewriting.copyUntil(at);
      rewriting.skip(length);
    }
    at += Math.max(1, length);
  }
  return rewriting?.finish();
}

/** A view that is being made from another. No escape stands for more bytes than it has, so the arrays are large enough. */
class Rewriting {
  readonly #parent: View;
  readonly #bytes: Uint8Array;
  readonly #from: Uint32Array;
  readonly #to: Uint32Array;
  #read = 0;
  #length = 0;

  constructor(parent: View) {
    this.#parent = parent;
    this.#bytes = new Uint8Array(parent.bytes.length);
    this.#from = new Uint32Array(parent.bytes.length);
    this.#to = new Uint32Array(parent.bytes.length);
  }

  copyUntil(end: number): void {
    const { bytes, from, to } = this.#parent;
    for (; this.#read < end; this.#read += 1) {
      this.#bytes[this.#length] = bytes[this.#read] ?? 0;
      this.#from[this.#length] = from[this.#read] ?? 0;
      this.#to[this.#length] = to[this.#read] ?? 0;
      this.#length += 1;
    }
  }

  replace({ code, isByte, length }: Escape): void {
    const begin = this.#length;
    if (isByte || code < 0x80) this.#put(code);
    else if (code < 0x800) {
      this.#put(0xc0 | (code >>> 6));
      this.#put(0x80 | (code & 0x3f));
    } else {
      if (code < 0x10000) this.#put(0xe0 | (code >>> 12));
      else {
        this.#put(0xf0 | (code >>> 18));
        this.#put(0x80 | ((code >>> 12) & 0x3f));
      }
      this.#put(0x80 | ((code >>> 6) & 0x3f));
      this.#put(0x80 | (code & 0x3f));
    }
    const { from, to } = this.#parent;
    this.#from.fill(from[this.#read] ?? 0, begin, this.#length);
    this.#to.fill(to[this.#read + length - 1] ?? 0, begin, this.#length);
    this.#read += length;
  }

  skip(length: number): void {
    this.#read += length;
  }

  finish(): View {
    this.copyUntil(this.#parent.bytes.length);
    return {
      bytes: this.#bytes.subarray(0, this.#length),
      from: this.#from.subarray(0, this.#length),
      to: this.#to.subarray(0, this.#length),
    };
  }

  #put(byte: number): void {
    this.#bytes[this.#length] = byte;
    this.#length += 1;
  }
}

function firstByte({ code, isByte }: Escape): number {
  if (isByte || code < 0x80) return code;
  if (code < 0x800) return 0xc0 | (code >>> 6);
  return code < 0x10000 ? 0xe0 | (code >>> 12) : 0xf0 | (code >>> 18);
}

function readEscape(kind: number, source: Uint8Array, at: number, found: Escape): boolean {
  switch (kind) {
    case BACKSLASHES:
      return readBackslash(source, at, found);
    case PERCENTS:
      return readPercent(source, at, found);
    default:
      return readEntity(source, at, found);
  }
}
