/** Reads a URL by the WHATWG standard, when every other parser would read the same. */
import type { PolicyFacts } from '@interlock/contracts';
import { isOneDomain } from './domain.ts';

export type Destination = Omit<
  Extract<PolicyFacts['destinations'][number], { readable: true }>,
  'at' | 'readable' | 'firstUse'
>;

/** As long as the request lines that servers commonly accept. */
const LENGTH_MAX = 8_192;
const ORIGIN_MAX = 1_024;
const HOST_MAX = 256;
/** The standard strips some of these and reads others as `/`; other parsers do not. */
const AMBIGUOUS = /[\s\p{Cc}\p{Zs}\\]/u;
/** What stands between the slashes and the path. Parsers differ about a second `@`, and about other signs before one. */
const AUTHORITY =
  /^[A-Za-z]+:\/\/(?:[A-Za-z0-9._~:-]*@)?([^@/?#:%]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?(?=[/?#]|$)/;
const WITH_ORIGIN = new Set(['http:', 'https:', 'ws:', 'wss:', 'ftp:']);

/** Returns the destination of a URL, or undefined when that is not certain. */
export function readUrl(text: string): Destination | undefined {
  if (text.length > LENGTH_MAX || !text.isWellFormed() || AMBIGUOUS.test(text)) return undefined;
  // Without its slashes a URL is relative to some parsers and absolute to others.
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:/.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const known = WITH_ORIGIN.has(url.protocol);
  if (known && !hasOneHost(text, url)) return undefined;
  const origin = known ? url.origin : `${url.protocol}${url.host === '' ? '' : `//${url.host}`}`;
  const { hostname } = url;
  if (origin.length > ORIGIN_MAX || hostname.length > HOST_MAX || (known && hostname === ''))
    return undefined;
  return { origin, host: hostname, scheme: url.protocol.slice(0, -1), carries: carries(url) };
}

function hasOneHost(text: string, { hostname }: URL): boolean {
  const [authority, host = ''] = AUTHORITY.exec(text) ?? [];
  if (authority === undefined) return false;
  // Some parsers end the host only at a slash: `https://a.com#@b.com` is b.com to them.
  const rest = text.slice(authority.length);
  if (!rest.startsWith('/') && rest.includes('@')) return false;
  // A number is the same address in each of its spellings.
  return /^[0-9.[]/.test(hostname) || isOneDomain(host, hostname);
}

function carries({ search, hash, username, password, pathname }: URL): boolean {
  return search !== '' || hash !== '' || username !== '' || password !== '' || !/^\/?$/.test(pathname);
}
