/** Bodies of text in UTF-8, whatever charset an upstream writes. Everything after this reads UTF-8 only. */

const TEXT =
  /^(?:text\/|application\/(?:[\w.+-]+\+)?(?:json|xml|javascript|x-www-form-urlencoded|x-ndjson)\s*(?:;|$))/i;
const CHARSET = /;\s*charset\s*=\s*(?:"([^"]*)"|([^\s;]+))/i;
/** A byte order mark says more than any header (WHATWG Encoding, BOM sniff). */
const MARKS: readonly (readonly [mark: readonly number[], charset: string])[] = [
  [[0xef, 0xbb, 0xbf], 'utf-8'],
  [[0xfe, 0xff], 'utf-16be'],
  [[0xff, 0xfe], 'utf-16le'],
];

/**
 * Returns a body of text as UTF-8 without a byte order mark, its media type saying so. What is no text, has a charset that
 * nobody knows or does not fit its charset stays as it is.
 */
export function inUtf8(body: Uint8Array, mediaType: string): { bytes: Uint8Array; mediaType: string } {
  if (!TEXT.test(mediaType)) return { bytes: body, mediaType };
  const [, quoted, plain] = CHARSET.exec(mediaType) ?? [];
  const marked = MARKS.find(([mark]) => mark.every((byte, index) => body[index] === byte))?.[1];
  const charset = (marked ?? quoted ?? plain ?? 'utf-8').toLowerCase();
  if (marked === undefined && charset === 'utf-8') return { bytes: body, mediaType };
  const text = decode(body, charset);
  if (text === undefined) return { bytes: body, mediaType };
  return { bytes: Buffer.from(text), mediaType: mediaType.replace(CHARSET, '; charset=utf-8') };
}

function decode(body: Uint8Array, charset: string): string | undefined {
  try {
    return new TextDecoder(charset, { fatal: true }).decode(body);
  } catch {
    return undefined;
  }
}
