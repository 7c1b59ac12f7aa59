import { domainToASCII, domainToUnicode } from 'node:url';

const ASCII = /^[!-~]+$/;
/** The old and the new rules for names (IDNA2003 and IDNA2008) lead these to different domains. */
const DIFFERENTLY_MAPPED = /[ßẞς]/;

/** True when every program looks up the same name, `ascii`, for a domain as it is written. */
export function isOneDomain(domain: string, ascii: string): boolean {
  const unicode = domainToUnicode(ascii);
  // Of plain characters only the case may change: any other change means that a number or an escape was read.
  if (ASCII.test(domain)) return ascii === domain.toLowerCase() && domainToASCII(unicode) === ascii;
  return unicode === domain.toLowerCase() && !DIFFERENTLY_MAPPED.test(domain);
}
