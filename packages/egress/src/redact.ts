/**
 * Removes secrets from answers, in every spelling in which a server is likely to echo them.
 *
 * S1. The body is searched in views (raw, JSON unescaped once and twice, percent decoded once and twice, and these combined), so escapes
 *     may cover any part of the secret in any mixture.
 * S2. In each view the secret is searched in plain, as hexadecimal digits, as UTF-16 and as base64 in both alphabets, at all three alignments, so that it
 *     is found inside a longer encoded text such as `user:password`.
 * S3. A match is mapped back to the bytes of the original. Nothing else is changed, and a body without a match is
 *     returned unchanged.
 */
import { Fault } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import type { HeaderList } from './headers.ts';
import {
  isBase64,
  joinLines,
  originalRange,
  type Relevant,
  rawView,
  unescapeJson,
  unescapePercent,
  type View,
} from './views.ts';

const REPLACEMENT = Buffer.from('[secret]');
/**
 * Below this, base64 leaves so few whole characters (4 at the worst alignment of 4 bytes) that ordinary text
 * would match. Shorter secrets are removed where they are plain, percent-encoded or JSON-escaped.
 */
const MIN_BASE64_SECRET_BYTES = 6;
/** An echo that was cut off is removed when at least this much of a longer secret is left. */
const BEGINNING_BYTES = 8;
/** Larger than any credential in use; a search stays linear in the body. */
const MAX_SECRET_BYTES = 16 * 1024;
const MAX_SECRETS = 64;

/** One spelling of a secret. Its first or last base64 character may carry bits of the neighbour, too. */
type Needle = {
  bytes: Buffer;
  shares: { left: boolean; right: boolean };
  base64: boolean;
  /** Where a beginning is searched: all that may follow it. */
  rest?: Buffer;
};

type Range = readonly [start: number, end: number];

/** A body without its secrets, and the number of replacements. */
export type Redacted<Body> = { body: Body; redactions: number };

/**
 * Removes every secret from a body. Text is treated as UTF-8; bytes need not be text.
 * @throws Fault `configuration_invalid` for more than 64 secrets or one above 16 KiB: what cannot be redacted must not be
 * returned.
 */
export function redact(body: string, secrets: readonly Secret[]): Redacted<string>;
export function redact(body: Uint8Array, secrets: readonly Secret[]): Redacted<Uint8Array>;
export function redact(body: string | Uint8Array, secrets: readonly Secret[]): Redacted<string | Uint8Array> {
  const needles = makeNeedles(secrets);
  if (needles.length === 0) return { body, redactions: 0 };
  const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : body;
  const ranges = mergeRanges(findAll(bytes, needles));
  if (ranges.length === 0) return { body, redactions: 0 };
  const clean = replaceRanges(bytes, ranges);
  return { body: typeof body === 'string' ? clean.toString('utf8') : clean, redactions: ranges.length };
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

function makeNeedles(secrets: readonly Secret[]): readonly Needle[] {
  if (secrets.length > MAX_SECRETS) throw unfit('There are more secrets than can be redacted.');
  return secrets.flatMap((secret) => {
    const bytes = Buffer.from(secret.reveal(), 'utf8');
    if (bytes.length === 0) return [];
    if (bytes.length > MAX_SECRET_BYTES) throw unfit('A secret is too long to be redacted.');
    const shares = { left: false, right: false };
    const [beginning, rest] = [bytes.subarray(0, BEGINNING_BYTES), bytes.subarray(BEGINNING_BYTES)];
    const plain: Needle = { bytes: beginning, rest, shares, base64: false };
    if (bytes.length < MIN_BASE64_SECRET_BYTES) return [plain];
    return [
      plain,
      ...otherEncodings(bytes),
      ...[0, 1, 2].flatMap((alignment) => base64Needles(bytes, alignment)),
    ];
  });
}

/** Hexadecimal digits in either case, and UTF-16 in either byte order. */
function otherEncodings(secret: Buffer): readonly Needle[] {
  const hex = secret.toString('hex');
  const utf16 = Buffer.from(secret.toString('utf8'), 'utf16le');
  const spellings = [Buffer.from(hex), Buffer.from(hex.toUpperCase()), utf16, Buffer.from(utf16).swap16()];
  return spellings.map((bytes) => ({ bytes, shares: { left: false, right: false }, base64: false }));
}

/** The base64 characters that depend on the secret alone when `alignment` other bytes precede it in its group. */
function base64Needles(secret: Buffer, alignment: number): readonly Needle[] {
  const firstBit = alignment * 8;
  const endBit = firstBit + secret.length * 8;
  const from = Math.ceil(firstBit / 6);
  const to = Math.floor(endBit / 6);
  const shares = { left: firstBit % 6 !== 0, right: endBit % 6 !== 0 };
  const standard = Buffer.concat([Buffer.alloc(alignment), secret])
    .toString('base64')
    .slice(from, to);
  const url = standard.replaceAll('+', '-').replaceAll('/', '_');
  const spellings = standard === url ? [standard] : [standard, url];
  return spellings.map((text) => ({ bytes: Buffer.from(text, 'latin1'), shares, base64: true }));
}

function findAll(body: Uint8Array, needles: readonly Needle[]): Range[] {
  const onlyBase64 = needles.filter(({ base64 }) => base64);
  const ranges: Range[] = [];
  for (const view of viewsOf(rawView(body), needles)) {
    findIn(view, needles, ranges);
    const joined = onlyBase64.length === 0 ? undefined : joinLines(view);
    if (joined !== undefined) findIn(joined, onlyBase64, ranges);
  }
  return ranges;
}

/** At most twelve views, each made only where the body has an escape that matters. */
function viewsOf(raw: View, needles: readonly Needle[]): readonly View[] {
  const relevant = relevantBytes(needles);
  const plusMatters = needles.some(({ bytes, rest }) => bytes.includes(' ') || rest?.includes(' ') === true);
  const jsonOf = (view: View | undefined) => (view === undefined ? undefined : unescapeJson(view, relevant));
  const percentOf = (view: View | undefined) =>
    [false, ...(plusMatters ? [true] : [])].map((plusIsSpace) =>
      view === undefined ? undefined : unescapePercent(view, { plusIsSpace, relevant }),
    );
  const json = jsonOf(raw);
  const percent = percentOf(raw);
  const twice = percent.map((view) => percentOf(view)[0]);
  const views = [raw, json, jsonOf(json), ...percent, ...twice, ...percentOf(json), ...percent.map(jsonOf)];
  return views.filter((view) => view !== undefined);
}

/** Every byte of a needle, what introduces another escape, and the line ends that may wrap base64. */
function relevantBytes(needles: readonly Needle[]): Relevant {
  const relevant = new Uint8Array(256);
  for (const { bytes, rest } of needles) for (const byte of [...bytes, ...(rest ?? [])]) relevant[byte] = 1;
  for (const byte of Buffer.from('\\%\r\n')) relevant[byte] = 1;
  return relevant;
}

function findIn(view: View, needles: readonly Needle[], ranges: Range[]): void {
  const haystack = view.bytes;
  for (const { bytes, shares, rest } of needles) {
    let at = haystack.indexOf(bytes);
    while (at !== -1) {
      const end = at + bytes.length + sharedLength(haystack, at + bytes.length, rest);
      const start = shares.left && isBase64(haystack[at - 1]) ? at - 1 : at;
      const stop = shares.right && isBase64(haystack[end]) ? end + 1 : end;
      ranges.push(originalRange(view, start, stop));
      at = haystack.indexOf(bytes, end);
    }
  }
}

function sharedLength(haystack: Buffer, from: number, rest: Buffer | undefined): number {
  let length = 0;
  while (rest !== undefined && length < rest.length && haystack[from + length] === rest[length]) length += 1;
  return length;
}

function mergeRanges(ranges: Range[]): readonly Range[] {
  const sorted = ranges.sort(([a], [b]) => a - b);
  const merged: Range[] = [];
  for (const [start, end] of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && start < last[1]) merged[merged.length - 1] = [last[0], Math.max(last[1], end)];
    else merged.push([start, end]);
  }
  return merged;
}

function replaceRanges(body: Uint8Array, ranges: readonly Range[]): Buffer {
  const parts: Uint8Array[] = [];
  let position = 0;
  for (const [start, end] of ranges) {
    parts.push(body.subarray(position, start), REPLACEMENT);
    position = end;
  }
  parts.push(body.subarray(position));
  return Buffer.concat(parts);
}

function unfit(detail: string): Fault {
  return new Fault('configuration_invalid', { detail });
}
