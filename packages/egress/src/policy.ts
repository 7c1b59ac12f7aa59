/**
 * What one tool may reach. Every request is checked against a compiled policy: a URL that no entry names is refused
 * before its name is looked up, so that a refusal leaks nothing to a resolver.
 */
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { type OpenedAddresses, parseOpenedAddresses } from './address.ts';
import { EgressFault } from './fault.ts';

/** The destinations and limits of a tool. Every field is required: no limit has a silent default. */
export type EgressPolicy = {
  /** `host`, `host:port`, `*.suffix`, `*.suffix:port` for https; the same after `http://` for clear text. */
  allow: readonly string[];
  /** How many redirects are followed; with 0 the 3xx itself is the answer. */
  redirects: number;
  /** Addresses and CIDR blocks that may be reached although they are not public. */
  allowPrivate: readonly string[];
  /** From the call to the last byte of the answer, redirects and decoding included. */
  timeoutMs: number;
  /** From looking up the name to the end of the TLS handshake, per connection. */
  connectTimeoutMs: number;
  /** Of one answer's body, both as received and as decoded. */
  maxResponseBytes: number;
};

/** A policy with parsed entries. `key` is equal for policies that allow the same connections. */
export type CompiledPolicy = {
  readonly policy: EgressPolicy;
  readonly destinations: readonly Destination[];
  readonly opened: OpenedAddresses;
  readonly key: string;
};

type Destination = { scheme: 'https:' | 'http:'; host: string; subdomains: boolean; port: string };

/** Long lists slow every request; a tool that needs more entries is several tools. */
const MAX_ENTRIES = 64;
/** No real service needs a longer chain; browsers stop at twenty. */
const MAX_REDIRECTS = 10;
/** A day: longer waits are a mistake in units. */
const MAX_WAIT_MS = 86_400_000;
/** The body is held in memory. */
const MAX_BODY_BYTES = 256 * 1024 * 1024;

/**
 * Compiles a policy, or refuses it as a whole.
 * @throws EgressFault `configuration_invalid` with a pointer into the policy.
 */
export function compilePolicy(policy: EgressPolicy): CompiledPolicy {
  assertWithin(policy.redirects, { min: 0, max: MAX_REDIRECTS, pointer: '/redirects' });
  assertWithin(policy.timeoutMs, { min: 1, max: MAX_WAIT_MS, pointer: '/timeoutMs' });
  assertWithin(policy.connectTimeoutMs, { min: 1, max: MAX_WAIT_MS, pointer: '/connectTimeoutMs' });
  assertWithin(policy.maxResponseBytes, { min: 0, max: MAX_BODY_BYTES, pointer: '/maxResponseBytes' });
  if (policy.allow.length > MAX_ENTRIES) throw invalid('/allow', 'The allow-list has too many entries.');
  if (policy.allowPrivate.length > MAX_ENTRIES) {
    throw invalid('/allowPrivate', 'allowPrivate has too many entries.');
  }
  return { policy, ...parseLists(policy) };
}

type ParsedLists = Pick<CompiledPolicy, 'destinations' | 'opened' | 'key'>;
type Lists = Pick<EgressPolicy, 'allow' | 'allowPrivate' | 'connectTimeoutMs'>;

/** The parsed lists of a tool, kept with its definition: they are the same for every request. */
const known = new WeakMap<readonly string[], { lists: Lists; parsed: ParsedLists }>();

function parseLists({ allow, allowPrivate, connectTimeoutMs }: EgressPolicy): ParsedLists {
  const before = known.get(allow);
  if (before?.lists.allowPrivate === allowPrivate && before.lists.connectTimeoutMs === connectTimeoutMs)
    return before.parsed;
  const lists = { allow, allowPrivate, connectTimeoutMs };
  const destinations = allow.map((entry, index) => parseDestination(entry, `/allow/${index}`));
  const parsed = { destinations, opened: parseOpenedAddresses(allowPrivate), key: connectionKey(lists) };
  known.set(allow, { lists, parsed });
  return parsed;
}

/**
 * Checks a URL against the policy, before any look-up.
 * @returns the URL as WHATWG normalises it, without its fragment.
 * @throws EgressFault `egress_destination_refused`, `sent: 'no'`.
 */
export function permitUrl(text: string, { destinations }: CompiledPolicy): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw refused('The URL cannot be read.');
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw refused('Only https and http URLs are allowed.');
  if (url.username !== '' || url.password !== '') throw refused('A URL must not carry a user or a password.');
  if (url.hostname.endsWith('.')) throw refused('A host name must not end in a dot.');
  if (!destinations.some((destination) => matches(destination, url))) {
    throw refused(`${url.origin} is not on the tool's allow-list.`);
  }
  url.hash = '';
  return url;
}

function matches(destination: Destination, url: URL): boolean {
  if (destination.scheme !== url.protocol || destination.port !== url.port) return false;
  if (!destination.subdomains) return url.hostname === destination.host;
  return url.hostname.endsWith(`.${destination.host}`) && url.hostname.length > destination.host.length + 1;
}

/** Normalises an entry with the URL parser. The entry must have only scheme, host and port. */
function parseDestination(entry: string, pointer: string): Destination {
  const clear = entry.startsWith('http://');
  const authority = clear ? entry.slice('http://'.length) : entry;
  const subdomains = authority.startsWith('*.');
  const text = `${clear ? 'http' : 'https'}://${subdomains ? authority.slice(2) : authority}`;
  if (
    !/^(\[[0-9A-Fa-f:.]+\]|[^/?#@\\\s*:[\]]+)(:\d{1,5})?$/.test(subdomains ? authority.slice(2) : authority)
  ) {
    throw invalid(pointer, 'An allowed destination is host, host:port, *.suffix or the same after http://.');
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '' || url.hostname.endsWith('.')) {
    throw invalid(pointer, 'An allowed destination has a host that cannot be read.');
  }
  if (subdomains && (isAddress(url.hostname) || !url.hostname.includes('.'))) {
    throw invalid(pointer, 'A wildcard needs a suffix of at least two labels.');
  }
  return { scheme: clear ? 'http:' : 'https:', host: url.hostname, subdomains, port: url.port };
}

function isAddress(hostname: string): boolean {
  return hostname.startsWith('[') || isIP(hostname) !== 0;
}

function connectionKey({ allow, allowPrivate, connectTimeoutMs }: Lists): string {
  const parts = [[...allow].sort(), [...allowPrivate].sort(), connectTimeoutMs];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

function assertWithin(
  value: number,
  { min, max, pointer }: { min: number; max: number; pointer: string },
): void {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw invalid(pointer, `A limit must be a whole number from ${min} to ${max}.`);
  }
}

function invalid(pointer: string, detail: string): EgressFault {
  return new EgressFault('configuration_invalid', { sent: 'no', detail, pointer });
}

function refused(detail: string): EgressFault {
  return new EgressFault('egress_destination_refused', { sent: 'no', detail });
}
