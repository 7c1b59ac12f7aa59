import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw, type ZlibOptions } from 'node:zlib';
import { EgressFault } from './fault.ts';

const decoders = {
  gzip: promisify<Uint8Array, ZlibOptions, Buffer>(gunzip),
  'x-gzip': promisify<Uint8Array, ZlibOptions, Buffer>(gunzip),
  br: promisify<Uint8Array, ZlibOptions, Buffer>(brotliDecompress),
  zlib: promisify<Uint8Array, ZlibOptions, Buffer>(inflate),
  raw: promisify<Uint8Array, ZlibOptions, Buffer>(inflateRaw),
};

/** RFC 1950: the low half of a zlib header's first byte says `deflate`. */
const ZLIB_METHOD_DEFLATE = 8;

/**
 * Decodes a Content-Encoding that was not requested, one layer; `encoding` is what all its lines say, joined by commas.
 * Decoding stops at the limit: a small body that would grow beyond it
 * is refused.
 * @throws EgressFault `egress_too_large` or `egress_broken`, both `sent: 'maybe'`.
 */
export async function decodeBody(
  body: Uint8Array,
  { encoding, maxBytes }: { encoding: string; maxBytes: number },
): Promise<Uint8Array> {
  const names = encoding
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  const [only, ...others] = names;
  if (only === undefined || body.byteLength === 0) return body;
  // Each layer may hide a credential and multiply the size; nobody asked for even one.
  const decode = others.length === 0 ? chooseDecoder(only, body) : undefined;
  if (decode === undefined)
    throw malformed('The answer has a Content-Encoding that cannot be decoded.', undefined);
  try {
    // zlib needs a limit of at least one byte; a limit of zero is checked here.
    const decoded = await decode(body, { maxOutputLength: Math.max(1, maxBytes) });
    if (decoded.byteLength > maxBytes) throw tooLarge(maxBytes);
    return decoded;
  } catch (cause) {
    if (cause instanceof EgressFault) throw cause;
    if (cause instanceof RangeError) throw tooLarge(maxBytes);
    throw malformed('The answer does not match its own Content-Encoding.', cause);
  }
}

/** Returns the fault of an answer beyond its limit, encoded or decoded. */
export function tooLarge(maxBytes: number): EgressFault {
  const detail = `The answer is larger than the ${maxBytes} bytes that this tool allows.`;
  return new EgressFault('egress_too_large', { sent: 'maybe', detail });
}

function chooseDecoder(name: string, body: Uint8Array) {
  switch (name) {
    case 'gzip':
    case 'x-gzip':
    case 'br':
      return decoders[name];
    case 'deflate':
      // Servers disagree whether `deflate` has the zlib wrapper (RFC 9110 §8.4.1.2 says it has).
      return ((body[0] ?? 0) & 0x0f) === ZLIB_METHOD_DEFLATE ? decoders.zlib : decoders.raw;
    default:
      return undefined;
  }
}

function malformed(detail: string, cause: unknown): EgressFault {
  return new EgressFault('egress_broken', { sent: 'maybe', detail, cause });
}
