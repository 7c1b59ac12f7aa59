import { pointerOf } from '@interlock/contracts';
import { EgressFault } from './fault.ts';

/** Names and values in the order received; a name may occur more than once. Names are in lower case. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** Names to values, as a caller writes them. */
export type HeaderRecord = Readonly<Record<string, string>>;

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
/** RFC 9110 §5.5: visible characters, space, tab and obs-text, nothing that ends a line or a string. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Servers commonly stop at 8 KiB for a line and 16 KiB for all. */
const MAX_VALUE_BYTES = 8 * 1024;
const MAX_HEADERS = 100;

/** The connection sets headers for framing, routing and negotiation: a caller could use them for request smuggling. */
const OWNED_BY_CONNECTION: ReadonlySet<string> = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Asserts that a value, perhaps from an argument, is one header value and nothing else: no CR, LF, NUL or other
 * control character, nothing outside latin-1, at most 8 KiB.
 * @throws EgressFault `header_argument_refused` with the pointer given.
 */
export function assertHeaderValue(value: string, pointer: string): void {
  if (value.length > MAX_VALUE_BYTES || !VALUE.test(value)) {
    throw new EgressFault('header_argument_refused', {
      sent: 'no',
      detail: 'A header value has a character that headers cannot have, or is too long.',
      pointer,
    });
  }
}

/**
 * Checks a request's headers whole and puts the names in lower case.
 * @throws EgressFault `configuration_invalid` for a name, `header_argument_refused` for a value, with a pointer to
 * the header (RFC 6901).
 */
export function readRequestHeaders(headers: HeaderRecord): HeaderList {
  const entries = Object.entries(headers);
  const seen = new Set<string>();
  if (entries.length > MAX_HEADERS) throw invalidHeader('/headers', 'The request has too many headers.');
  return entries.map(([written, value]) => {
    const name = written.toLowerCase();
    const pointer = pointerOf(['headers', written]);
    if (!TOKEN.test(name))
      throw invalidHeader('/headers', 'A header name has a character that header names cannot have.');
    if (isOwnedByConnection(name)) throw invalidHeader(pointer, 'This header is set by the gateway.');
    if (seen.has(name)) throw invalidHeader(pointer, 'A header is given twice.');
    seen.add(name);
    assertHeaderValue(value, pointer);
    return [name, value];
  });
}

/** Whether the connection sets a header itself, by its lower-case name. */
export function isOwnedByConnection(name: string): boolean {
  return OWNED_BY_CONNECTION.has(name);
}

/** Returns every value of a header, by its lower-case name. */
export function headerValues(headers: HeaderList, name: string): string[] {
  return headers.filter(([candidate]) => candidate === name).map(([, value]) => value);
}

/** Returns the first value of a header, by its lower-case name. */
export function headerValue(headers: HeaderList, name: string): string | undefined {
  return headers.find(([candidate]) => candidate === name)?.[1];
}

function invalidHeader(pointer: string, detail: string): EgressFault {
  return new EgressFault('configuration_invalid', { sent: 'no', detail, pointer });
}
