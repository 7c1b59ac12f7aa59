/** How servers write a secret that they echo. What is not escaped byte by byte is searched as it would be spelled. */
import { Fault } from '@interlock/contracts';
import type { Secret } from '@interlock/keys';
import { ALL_ESCAPES, decode, type Relevant, rawView } from './views.ts';

/**
 * A spelling of a secret, or a part of a long one. It counts from its first `least` bytes on: an echo may be cut off.
 * In base64 the characters at its edges may carry bits of the neighbours, too.
 */
export interface Needle {
  bytes: Uint8Array;
  least: number;
  /** The character before it carries bits of it. */
  left: boolean;
  /** The character after the whole of it carries bits of it. */
  right: boolean;
  base64: boolean;
}

/**
 * Below this, base64 leaves so few whole characters (4 at the worst alignment of 4 bytes) that ordinary text
 * would match. Shorter secrets are removed where they are plain or escaped.
 */
const MIN_BASE64_SECRET_BYTES = 6;
/** An echo that was cut off is removed when at least this much of a longer secret is left. */
const BEGINNING_BYTES = 8;
/** Of a part in the middle of a long secret, more is needed: such parts are often ordinary text, as in a PEM file. */
const MIDDLE_BYTES = 24;
/** Long spellings are searched in parts, so that each is found whole in a window of the text. */
const PART_BYTES = 128;
/** Larger than any credential in use; a search stays linear in the body. */
const MAX_SECRET_BYTES = 16 * 1024;
const MAX_SECRETS = 64;
/** Escaping an escaped secret again ends here; the last round is the one that changes nothing. */
const DECODINGS_MAX = 5;

/** Everything that is looked for in a text. */
export interface Needles {
  all: readonly Needle[];
  relevant: Relevant;
}

/**
 * Returns the spellings of secrets. They are kept as long as the list of secrets itself.
 * @throws Fault `configuration_invalid` for more than 64 secrets or one above 16 KiB.
 */
export function needlesOf(secrets: readonly Secret[]): Needles {
  const known = made.get(secrets);
  if (known !== undefined) return known;
  const needles = makeNeedles(secrets);
  made.set(secrets, needles);
  return needles;
}

const made = new WeakMap<readonly Secret[], Needles>();

function makeNeedles(secrets: readonly Secret[]): Needles {
  if (secrets.length > MAX_SECRETS) throw unfit('There are more secrets than can be redacted.');
  const texts = secrets.map((secret) => secret.reveal().toWellFormed()).filter((text) => text !== '');
  const plain = texts.map((text) => ({
    text,
    bytes: Buffer.from(text),
    beginning: beginningOf(text, texts),
  }));
  if (plain.some(({ bytes }) => bytes.length > MAX_SECRET_BYTES))
    throw unfit('A secret is too long to be redacted.');
  const relevant = relevantBytes(plain.map(({ bytes }) => bytes));
  return { relevant, all: plain.flatMap((one) => spellingsOf(one, relevant)).flatMap(partsOf) };
}

interface Plain {
  text: string;
  bytes: Uint8Array;
  /** The shortest beginning that gives something away. */
  beginning: string;
}

/** Of `user:password`, the beginning goes into the password: the user's name is no secret. */
function beginningOf(text: string, texts: readonly string[]): string {
  const names = texts
    .filter((other) => other !== text && text.endsWith(`:${other}`))
    .map((other) => text.length - other.length);
  const open = Math.max(0, ...names);
  const characters = [...text.slice(open)];
  let end = open;
  for (let bytes = 0; bytes < BEGINNING_BYTES && characters.length > 0; ) {
    const character = characters.shift() ?? '';
    bytes += Buffer.byteLength(character);
    end += character.length;
  }
  return text.slice(0, end);
}

function spellingsOf({ text, bytes, beginning }: Plain, relevant: Relevant): readonly Needle[] {
  const least = Buffer.byteLength(beginning);
  const plain = [
    plainNeedle(bytes, least),
    ...(text.includes(' ') ? [plainNeedle(Buffer.from(text.replaceAll(' ', '+')), least)] : []),
    ...decodingsOf(bytes, relevant).map((decoded) => plainNeedle(decoded, BEGINNING_BYTES)),
  ];
  if (bytes.length < MIN_BASE64_SECRET_BYTES) return plain;
  return [
    ...plain,
    ...[hex, hexUpper, utf16, utf16Swapped].map((write) => plainNeedle(write(text), write(beginning).length)),
    ...base64Spellings(text, beginning),
  ];
}

function plainNeedle(bytes: Uint8Array, least: number): Needle {
  return { bytes, least: Math.min(least, bytes.length), left: false, right: false, base64: false };
}

/** What is left of a secret that itself looks escaped, when all of a text is decoded. */
function decodingsOf(bytes: Uint8Array, relevant: Relevant): readonly Uint8Array[] {
  const decodings: Uint8Array[] = [];
  let view = decode(rawView(bytes, 0, bytes.length), ALL_ESCAPES, relevant);
  for (let round = 0; round < DECODINGS_MAX && view !== undefined; round += 1) {
    if (view.bytes.length >= MIN_BASE64_SECRET_BYTES) decodings.push(view.bytes);
    view = decode(view, ALL_ESCAPES, relevant);
  }
  return decodings;
}

type Write = (text: string) => Buffer;

const hex: Write = (text) => Buffer.from(Buffer.from(text).toString('hex'));
const hexUpper: Write = (text) => Buffer.from(Buffer.from(text).toString('hex').toUpperCase());
const utf16: Write = (text) => Buffer.from(text, 'utf16le');
const utf16Swapped: Write = (text) => Buffer.from(text, 'utf16le').swap16();
/** What stands in base64 text that begins so many bytes before. */
const base64At = (alignment: number): Write => {
  return (text) => base64Within(Buffer.from(text), alignment).characters;
};

/** What encodes text as base64 has often escaped it before: a JSON document in a header, a form in a queue's message. */
const ESCAPERS: readonly ((text: string) => string)[] = [
  inJson,
  (text) => inJson(text).replaceAll('/', '\\/'),
  (text) => inJson(text).replaceAll(/[^\x20-\x7e]/g, unicodeEscape),
  (text) =>
    inJson(text)
      .replaceAll('/', '\\/')
      .replaceAll(/[^\x20-\x7e]/g, unicodeEscape),
  // Go's encoder, and .NET's.
  (text) => inJson(text).replaceAll(/[<>&]/g, unicodeEscape),
  (text) =>
    inJson(text)
      .replaceAll('\\"', '"')
      .replaceAll(/[^\x20-\x7e]|["'<>&+`]/g, (character) => unicodeEscape(character, 'upper')),
  encodeURIComponent,
  encodeURI,
  inStrictUrl,
  (text) => inStrictUrl(text).replaceAll('%20', '+'),
  (text) => encodeURIComponent(text).replaceAll(/%../g, (triplet) => triplet.toLowerCase()),
  (text) => new URLSearchParams({ a: text }).toString().slice('a='.length),
  (text) => inHtml(text, {}),
  (text) => inHtml(text, { '"': '&quot;' }),
  (text) => inHtml(text, { '"': '&quot;', "'": '&#39;' }),
  (text) => inHtml(text, { '"': '&quot;', "'": '&#x27;' }),
  (text) => inHtml(text, { '"': '&quot;', "'": '&#x27;', '/': '&#x2F;' }),
  (text) => inHtml(text, { '"': '&quot;', "'": '&#039;' }),
  (text) => inHtml(text, { '"': '&quot;', "'": '&apos;' }),
  (text) => inHtml(text, { '"': '&#34;', "'": '&#39;' }),
];
/** No escaping function changes these. */
const PLAIN_EVERYWHERE = /^[A-Za-z0-9._-]*$/;

function base64Spellings(text: string, beginning: string): readonly Needle[] {
  const writers: Write[] = [(part) => Buffer.from(part), utf16, hex, ...[0, 1, 2].map(base64At)];
  const escaped = PLAIN_EVERYWHERE.test(text)
    ? []
    : ESCAPERS.map((escaper) => (part: string) => Buffer.from(escaper(part)));
  const spellings = new Map(
    [...writers, ...escaped].map((write) => {
      const bytes = write(text);
      return [bytes.toString('latin1'), { bytes, least: Math.min(bytes.length, write(beginning).length) }];
    }),
  );
  return [...spellings.values()].flatMap(({ bytes, least }) =>
    [0, 1, 2].flatMap((alignment) => base64Needles(bytes, least, alignment)),
  );
}

function base64Needles(secret: Uint8Array, least: number, alignment: number): readonly Needle[] {
  const { characters, left, right } = base64Within(secret, alignment);
  const beginning = base64Within(secret.subarray(0, least), alignment).characters.length;
  const url = Buffer.from(characters.toString('latin1').replaceAll('+', '-').replaceAll('/', '_'), 'latin1');
  return (url.equals(characters) ? [characters] : [characters, url]).map((bytes) => ({
    bytes,
    least: Math.max(1, beginning),
    ...{ left, right, base64: true },
  }));
}

/** The base64 characters that depend on a text alone when `alignment` other bytes precede it in its group. */
function base64Within(text: Uint8Array, alignment: number) {
  const firstBit = alignment * 8;
  const endBit = firstBit + text.length * 8;
  const characters = Buffer.concat([Buffer.alloc(alignment), text])
    .toString('base64')
    .slice(Math.ceil(firstBit / 6), Math.floor(endBit / 6));
  return {
    characters: Buffer.from(characters, 'latin1'),
    left: firstBit % 6 !== 0,
    right: endBit % 6 !== 0,
  };
}

/** A part ends where the next begins, so of a part only the last shares bits with what follows. */
function partsOf(needle: Needle): readonly Needle[] {
  const { bytes } = needle;
  if (bytes.length <= PART_BYTES) return [needle];
  const parts: Needle[] = [];
  for (let from = 0; from < bytes.length; from += PART_BYTES) {
    const part = bytes.subarray(from, from + PART_BYTES);
    const least = Math.min(part.length, from === 0 ? needle.least : Math.max(MIDDLE_BYTES, needle.least));
    parts.push({ ...needle, bytes: part, least, left: needle.left && from === 0 });
  }
  return parts;
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** RFC 3986 reserves more than `encodeURIComponent` encodes. */
function inStrictUrl(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, percentEscape);
}

function inHtml(text: string, quotes: Readonly<Record<string, string>>): string {
  const names: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', ...quotes };
  return text.replaceAll(/[&<>"'/]/g, (character) => names[character] ?? character);
}

function unicodeEscape(character: string, letters: 'upper' | number = 0): string {
  const digits = character.charCodeAt(0).toString(16).padStart(4, '0');
  return `\\u${letters === 'upper' ? digits.toUpperCase() : digits}`;
}

function percentEscape(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** Every byte of a secret, what an escape consists of, and the line ends that may wrap base64. */
function relevantBytes(secrets: readonly Uint8Array[]): Relevant {
  const relevant = new Uint8Array(256);
  for (const bytes of secrets) for (const byte of bytes) relevant[byte] = 1;
  for (const byte of Buffer.from('\\%&#;{}+\r\n')) relevant[byte] = 1;
  for (let byte = 0; byte < 0x80; byte += 1)
    if (/[A-Za-z0-9]/.test(String.fromCharCode(byte))) relevant[byte] = 1;
  return relevant;
}

function unfit(detail: string): Fault {
  return new Fault('configuration_invalid', { detail });
}
