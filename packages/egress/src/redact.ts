/**
 * Removes secrets from answers, in every spelling in which a server is likely to echo them.
 *
 * S1. A text is searched as it is, and as its readers would decode it: with one kind of escapes decoded, once and twice,
 *     and with all kinds decoded, again and again, until nothing changes or at most five times. So escapes may cover any part
 *     of a secret in any mixture.
 * S2. In each of these views a secret is searched in plain, as hexadecimal digits, as UTF-16, and as base64 of itself and of
 *     what escaping functions make of it, in both alphabets and at all three alignments (spellings.ts).
 * S3. A match is mapped back to the bytes of the original. Nothing else is changed, and a body without a match is
 *     returned unchanged.
 * S4. The work is linear in the text, whatever it holds. A long text is searched in windows that overlap by more than a
 *     spelling is long, and between windows other work gets its turn.
 */
import { Secret } from '@interlock/keys';
import type { HeaderList } from './headers.ts';
import { type Range, Search } from './search.ts';
import { type Needles, needlesOf } from './spellings.ts';
import {
  ALL_ESCAPES,
  BACKSLASHES,
  decode,
  ENTITIES,
  joinLines,
  joinWide,
  PERCENTS,
  rawView,
  type View,
} from './views.ts';

const REPLACEMENT = Buffer.from('[secret]');
/** One window is some milliseconds of work at the worst. */
const WINDOW_BYTES = 16 * 1_024;
/** A part of a secret has at most 128 bytes, and the longest escapes of a byte some dozen characters. */
const OVERLAP_BYTES = 4 * 1_024;
/** Other work of the process waits for no more than this: some milliseconds. */
const TURN_STEPS = 500_000;
/** A text that was escaped more often was made to be unreadable. */
const DECODINGS_MAX = 5;
/** Replacing so many takes about as long as looking at so many bytes. */
const COPIED_AT_ONCE = 1_024;
const COPY_STEPS = 64;
const KINDS = [BACKSLASHES, PERCENTS, ENTITIES];

/** A body without its secrets, and the number of replacements. */
export type Redacted<Body> = { body: Body; redactions: number };

/**
 * Removes every secret from a short text, at once. Text is treated as UTF-8; bytes need not be text.
 * @throws Fault `configuration_invalid` for more than 64 secrets or one above 16 KiB: what cannot be redacted must not be
 * returned.
 */
export function redact(body: string, secrets: readonly Secret[]): Redacted<string>;
export function redact(body: Uint8Array, secrets: readonly Secret[]): Redacted<Uint8Array>;
export function redact(body: string | Uint8Array, secrets: readonly Secret[]): Redacted<string | Uint8Array> {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : body;
  const work = redacting(bytes, needlesOf(secrets));
  let next = work.next();
  while (next.done !== true) next = work.next();
  const { body: clean, redactions } = next.value;
  if (redactions === 0) return { body, redactions };
  return { body: typeof body === 'string' ? Buffer.from(clean).toString('utf8') : clean, redactions };
}

/** Removes every secret from a body of any length, as `redact` does, and lets other work have its turn meanwhile. */
export async function redactBody(
  body: Uint8Array,
  secrets: readonly Secret[],
): Promise<Redacted<Uint8Array>> {
  const work = redacting(body, needlesOf(secrets));
  let steps = 0;
  for (let next = work.next(); ; next = work.next()) {
    if (next.done === true) return next.value;
    steps += next.value;
    if (steps < TURN_STEPS) continue;
    steps = 0;
    await nextTurn();
  }
}

/** Removes every secret from header values, as `redact` does. */
export function redactHeaders(
  headers: HeaderList,
  secrets: readonly Secret[],
): { headers: HeaderList; redactions: number } {
  const clean = headers.map(([name, value]) => ({ name, ...redact(value, secrets) }));
  return {
    headers: clean.map(({ name, body }) => [name, body]),
    redactions: clean.reduce((sum, { redactions }) => sum + redactions, 0),
  };
}

/**
 * Returns what to redact when a credential is sent as basic authentication: the password and `user:password`, so that a
 * password too short to be searched as base64 is still found in it.
 */
export function basicSecrets(user: string, password: Secret): readonly Secret[] {
  return [password, new Secret(`${user}:${password.reveal()}`)];
}

/** Removes secrets window by window. Yields the steps of each: bytes that were looked at (S4). */
export function* redacting(
  body: Uint8Array,
  needles: Needles,
): Generator<number, Redacted<Uint8Array>, undefined> {
  if (needles.all.length === 0) return { body, redactions: 0 };
  const ranges: Range[] = [];
  const search = new Search(needles.all);
  for (let start = 0, end = 0; end < body.length; start += WINDOW_BYTES - OVERLAP_BYTES) {
    end = Math.min(start + WINDOW_BYTES, body.length);
    yield searchWindow(rawView(body, start, end), needles, search);
    addRanges(ranges, start, search.take());
  }
  return yield* replaceRanges(body, ranges);
}

function searchWindow(raw: View, needles: Needles, search: Search): number {
  search.steps = raw.bytes.length;
  searchEscaped(raw, needles, search);
  const narrow = joinWide(raw);
  search.steps += raw.bytes.length;
  if (narrow !== undefined) searchEscaped(narrow, needles, search);
  return search.steps;
}

/** Searches a view and all that are decoded from it (S1). */
function searchEscaped(raw: View, { relevant }: Needles, search: Search): void {
  searchJoined(raw, search);
  const decoded = (view: View, kinds: number) => {
    search.steps += view.bytes.length;
    const found = decode(view, kinds, relevant);
    if (found !== undefined) searchJoined(found, search);
    return found;
  };
  let all = decoded(raw, ALL_ESCAPES);
  const kinds = all?.kinds ?? 0;
  for (let round = 1; round < DECODINGS_MAX && all !== undefined; round += 1) all = decoded(all, ALL_ESCAPES);
  // With one kind alone, these are the views that were searched already.
  if (KINDS.includes(kinds)) return;
  for (const kind of KINDS) {
    const once = (kinds & kind) === 0 ? undefined : decoded(raw, kind);
    if (once !== undefined) decoded(once, kind);
  }
}

function searchJoined(view: View, search: Search): void {
  search.view(view);
  const joined = joinLines(view);
  search.steps += view.bytes.length;
  if (joined !== undefined) search.view(joined);
}

/** Whoever waits goes on in a turn of its own: two long bodies do not add up. */
function nextTurn(): Promise<void> {
  turns = turns.then(() => new Promise((resolve) => setImmediate(resolve)));
  return turns;
}

let turns: Promise<void> = Promise.resolve();

/** Adds what was found in a window that begins at `start`. The list stays in order, and of ranges that touch one is made. */
function addRanges(ranges: Range[], start: number, found: Range[]): void {
  while ((ranges.at(-1)?.[1] ?? -1) >= start) found.push(...ranges.splice(-1));
  for (const [from, to] of found.sort(([a], [b]) => a - b)) {
    const last = ranges.at(-1);
    if (last === undefined || from > last[1]) ranges.push([from, to]);
    else ranges[ranges.length - 1] = [last[0], Math.max(last[1], to)];
  }
}

function* replaceRanges(
  body: Uint8Array,
  ranges: readonly Range[],
): Generator<number, Redacted<Uint8Array>, undefined> {
  if (ranges.length === 0) return { body, redactions: 0 };
  const removed = ranges.reduce((sum, [from, to]) => sum + to - from, 0);
  const clean = Buffer.allocUnsafe(body.length - removed + ranges.length * REPLACEMENT.length);
  let length = 0;
  let position = 0;
  for (const [index, [from, to]] of ranges.entries()) {
    clean.set(body.subarray(position, from), length);
    length += from - position;
    clean.set(REPLACEMENT, length);
    length += REPLACEMENT.length;
    position = to;
    if (index % COPIED_AT_ONCE === 0) yield COPIED_AT_ONCE * COPY_STEPS;
  }
  clean.set(body.subarray(position), length);
  return { body: clean, redactions: ranges.length };
}
