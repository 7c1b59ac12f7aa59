/**
 * Which addresses may be reached. By default only globally routed unicast; every other kind (loopback, private,
 * link-local, metadata, multicast, reserved, and every form with an IPv4 address inside an IPv6 one) only where the
 * operator lists it.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { EgressFault } from './fault.ts';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = readonly [Address, number];

/** Wider entries are almost certainly a mistake: they would open the metadata service together with the rest. */
const NARROWEST_IPV4_MASK_BITS = 8;
const NARROWEST_IPV6_MASK_BITS = 7;

/** RFC 4291 and the IANA registry: the only block that global unicast is assigned from. */
const GLOBAL_UNICAST: Range = [ipaddr.IPv6.parse('2000::'), 3];

/** Routed like a public address, but answered by the cloud's own infrastructure (Azure's wire server). */
const METADATA_IN_PUBLIC_SPACE: readonly string[] = ['168.63.129.16'];

/** RFC 5214: an interface identifier `[02]00:5efe` followed by an embedded IPv4 address. */
const ISATAP_WORD = 0x5efe;

/** Addresses that an operator allowed although they are not public. */
export type OpenedAddresses = readonly Range[];

/**
 * Reads `allowPrivate`: single addresses or CIDR blocks, IPv4 or IPv6.
 * @throws EgressFault `configuration_invalid` with a pointer to the entry.
 */
export function parseOpenedAddresses(entries: readonly string[]): OpenedAddresses {
  return entries.map((entry, index) => {
    const range = parseRange(entry);
    if (range === undefined) {
      throw new EgressFault('configuration_invalid', {
        sent: 'no',
        detail:
          'An entry of allowPrivate is neither an IP address nor a block of at least /8 (IPv4) or /7 (IPv6).',
        pointer: `/allowPrivate/${index}`,
      });
    }
    return range;
  });
}

/**
 * Returns whether a connection to an address may be made.
 * @param text an address in the spelling of the resolver or of a WHATWG URL, without brackets and zone.
 */
export function mayReach(text: string, opened: OpenedAddresses): boolean {
  if (isIP(text) === 0 || text.includes('%')) return false;
  const address = ipaddr.parse(text);
  return isPublic(address) || opened.some((range) => contains(range, address));
}

function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast') return false;
  if (address instanceof ipaddr.IPv4) return !METADATA_IN_PUBLIC_SPACE.includes(address.toString());
  return contains(GLOBAL_UNICAST, address) && !isIsatap(address);
}

function isIsatap(address: ipaddr.IPv6): boolean {
  const [upper, marker] = address.parts.slice(4, 6);
  return marker === ISATAP_WORD && (upper === 0 || upper === 0x0200);
}

function contains([network, maskBits]: Range, address: Address): boolean {
  return network.kind() === address.kind() && address.match(network, maskBits);
}

function parseRange(entry: string): Range | undefined {
  if (isIP(entry) !== 0 && !entry.includes('%')) {
    const address = ipaddr.parse(entry);
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  }
  const [network] = entry.split('/');
  if (network === undefined || isIP(network) === 0 || !ipaddr.isValidCIDR(entry)) return undefined;
  const range = ipaddr.parseCIDR(entry);
  const narrowest = range[0].kind() === 'ipv4' ? NARROWEST_IPV4_MASK_BITS : NARROWEST_IPV6_MASK_BITS;
  return range[1] >= narrowest ? range : undefined;
}
