/**
 * Finds many spellings in a text at once: each place is looked up by its four bytes, and where a spelling begins with
 * them, it is compared as far as it goes.
 *
 * N1. A comparison never reads again what an earlier one of the same spelling has read and found equal (the Z algorithm),
 *     so a spelling that repeats itself costs no more than another.
 */
import type { Needle } from './spellings.ts';
import { isBase64, originalRange, type View } from './views.ts';

export type Range = readonly [start: number, end: number];

/** What is compared first. */
const HEAD_BYTES = 4;
/** Fibonacci hashing: the upper bits of the product depend on all bits of the head. */
const MULTIPLIER = 0x9e3779b1;
const SLOT_BITS = 16;

export class Search {
  /** Bytes that were looked at. */
  steps = 0;
  #ranges: Range[] = [];
  readonly #slots = new Uint8Array(1 << SLOT_BITS);
  readonly #byHead = new Map<number, Candidate[]>();
  readonly #short: readonly Needle[];

  constructor(needles: readonly Needle[]) {
    this.#short = needles.filter(({ least }) => least < HEAD_BYTES);
    for (const needle of needles) {
      if (needle.least < HEAD_BYTES) continue;
      const head = headOf(needle.bytes);
      this.#slots[slotOf(head)] = 1;
      const known = this.#byHead.get(head);
      const candidate = { needle, overlaps: undefined, at: 0, end: 0 };
      if (known === undefined) this.#byHead.set(head, [candidate]);
      else known.push(candidate);
    }
  }

  /** Returns what was found since the last time, as ranges of the original. */
  take(): Range[] {
    const ranges = this.#ranges;
    this.#ranges = [];
    return ranges;
  }

  /** Searches one view. */
  view(view: View): void {
    const { bytes } = view;
    this.steps += bytes.length;
    for (const candidates of this.#byHead.values()) for (const candidate of candidates) candidate.end = 0;
    let head = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      head = (head << 8) | (bytes[at] ?? 0);
      if (this.#slots[slotOf(head)] === 0 || at < HEAD_BYTES - 1) continue;
      for (const candidate of this.#byHead.get(head) ?? [])
        this.#compare(view, at - HEAD_BYTES + 1, candidate);
    }
    for (const needle of this.#short) this.#findShort(view, needle);
  }

  #compare(view: View, at: number, candidate: Candidate): void {
    const { needle } = candidate;
    const length = this.#commonLength(view.bytes, at, candidate);
    if (length < needle.least) return;
    candidate.at = at;
    candidate.end = at + length;
    this.#add(view, at, length, needle);
  }

  /** How much of a spelling stands at a place. N1 */
  #commonLength(haystack: Uint8Array, at: number, candidate: Candidate): number {
    const { bytes } = candidate.needle;
    let length = HEAD_BYTES;
    if (at + HEAD_BYTES < candidate.end) {
      candidate.overlaps ??= overlapsOf(bytes);
      const known = candidate.end - at;
      const overlap = candidate.overlaps[at - candidate.at] ?? 0;
      if (overlap < known) return overlap;
      length = known;
    }
    const from = length;
    while (length < bytes.length && haystack[at + length] === bytes[length]) length += 1;
    this.steps += length - from + 1;
    return length;
  }

  #findShort(view: View, needle: Needle): void {
    const haystack = Buffer.from(view.bytes.buffer, view.bytes.byteOffset, view.bytes.byteLength);
    this.steps += haystack.length;
    for (let at = haystack.indexOf(needle.bytes); at !== -1; ) {
      this.#add(view, at, needle.bytes.length, needle);
      at = haystack.indexOf(needle.bytes, at + needle.bytes.length);
    }
  }

  #add(view: View, at: number, length: number, { bytes, left, right, base64 }: Needle): void {
    const isCut = length < bytes.length;
    const end = at + length;
    const start = left && isBase64(view.bytes[at - 1]) ? at - 1 : at;
    const stop = base64 && (right || isCut) && isBase64(view.bytes[end]) ? end + 1 : end;
    const [from, to] = originalRange(view, start, stop);
    const last = this.#ranges.at(-1);
    // One range for what is found again and again at neighbouring places.
    if (last === undefined || from < last[0] || from > last[1]) this.#ranges.push([from, to]);
    else this.#ranges[this.#ranges.length - 1] = [last[0], Math.max(last[1], to)];
  }
}

interface Candidate {
  needle: Needle;
  /** For each place in the spelling, how much of its beginning stands there again. */
  overlaps: Uint32Array | undefined;
  /** Where it was last found in this view, and how far. */
  at: number;
  end: number;
}

function headOf(bytes: Uint8Array): number {
  let head = 0;
  for (let at = 0; at < HEAD_BYTES; at += 1) head = (head << 8) | (bytes[at] ?? 0);
  return head;
}

function slotOf(head: number): number {
  return Math.imul(head, MULTIPLIER) >>> (32 - SLOT_BITS);
}

/** The Z function of a text. */
function overlapsOf(bytes: Uint8Array): Uint32Array {
  const overlaps = new Uint32Array(bytes.length);
  let begin = 0;
  let end = 0;
  for (let at = 1; at < bytes.length; at += 1) {
    let length = at < end ? Math.min(end - at, overlaps[at - begin] ?? 0) : 0;
    while (at + length < bytes.length && bytes[length] === bytes[at + length]) length += 1;
    overlaps[at] = length;
    if (at + length > end) [begin, end] = [at, at + length];
  }
  return overlaps;
}
