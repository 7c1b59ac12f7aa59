import type { Answer } from './exchange.ts';
import { type HeaderList, headerValue } from './headers.ts';

/** One request of a chain of redirects. */
export type Leg = { method: string; url: URL; headers: HeaderList; body: Uint8Array | undefined };

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Credentials and identity belong to one origin. */
const FOR_ONE_ORIGIN: readonly string[] = [
  'authorization',
  'cookie',
  'interlock-agent',
  'interlock-call',
  'interlock-session',
  'interlock-tenant',
  'interlock-user',
];
/** A signature is valid for one URL. */
const FOR_ONE_URL: readonly string[] = ['signature', 'signature-input'];
const FOR_THE_BODY: readonly string[] = [
  'content-digest',
  'content-encoding',
  'content-language',
  'content-location',
  'content-type',
];

/**
 * Returns the request that a redirect asks for (RFC 9110 §15.4), or `undefined` when the answer is not a redirect or has
 * no location. The new URL is not checked yet. On another origin credentials and identity are dropped.
 * @param sensitiveHeaders further names, in any case, that are credentials.
 */
export function nextLeg(
  leg: Leg,
  { status, headers }: Answer,
  sensitiveHeaders: readonly string[],
): Leg | undefined {
  const location = headerValue(headers, 'location');
  if (!REDIRECTS.has(status) || location === undefined || !URL.canParse(location, leg.url.href))
    return undefined;
  const url = new URL(location, leg.url);
  const bodyless = becomesGet(leg.method, status);
  const dropped = new Set([
    ...FOR_ONE_URL,
    ...(url.origin === leg.url.origin
      ? []
      : [...FOR_ONE_ORIGIN, ...sensitiveHeaders.map((name) => name.toLowerCase())]),
    ...(bodyless ? FOR_THE_BODY : []),
  ]);
  return {
    method: bodyless ? 'GET' : leg.method,
    url,
    headers: leg.headers.filter(([name]) => !dropped.has(name)),
    body: bodyless ? undefined : leg.body,
  };
}

function becomesGet(method: string, status: number): boolean {
  if (status === 303) return method !== 'GET' && method !== 'HEAD';
  return (status === 301 || status === 302) && method === 'POST';
}
