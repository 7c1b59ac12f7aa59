/**
 * A connection goes only to an address that was checked.
 *
 * N1. A name is looked up once per new connection; the socket gets exactly the addresses that were checked.
 * N2. One refused address refuses the name: an honest name does not mix public and private addresses, DNS rebinding
 *     does.
 * N3. The address at the other end of the connected socket is checked again.
 */
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { mayReach, type OpenedAddresses } from './address.ts';
import { EgressFault } from './fault.ts';

/** Looks a name up: every address of it, IPv4 or IPv6, in the order in which they are to be tried. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** No real service has more addresses for one name. */
const MAX_ADDRESSES = 64;

/** The system's resolver, hosts file included. */
export const resolveBySystem: Resolve = async (hostname) => {
  const found = await lookup(hostname, { all: true, order: 'verbatim' });
  return found.map(({ address }) => address);
};

/** Returns a lookup for `net.connect` that returns only checked addresses (N1, N2). */
export function checkedLookup(resolve: Resolve, opened: OpenedAddresses): LookupFunction {
  return (hostname, options, callback) => {
    checkedAddresses(hostname, resolve, opened).then(
      (addresses) => {
        const [first, ...rest] = addresses.map((address) => ({ address, family: isIP(address) }));
        if (first === undefined) callback(unresolved(hostname, undefined), '');
        else if (options.all === true) callback(null, [first, ...rest]);
        else callback(null, first.address, first.family);
      },
      (fault: Error) => callback(fault, ''),
    );
  };
}

/**
 * Asserts that a host that is an address may be reached; names pass, because their look-up checks them.
 * @param host without brackets.
 * @throws EgressFault `egress_address_refused`.
 */
export function assertLiteral(host: string, opened: OpenedAddresses): void {
  if (isIP(host) !== 0 && !mayReach(host, opened)) throw addressRefused();
}

/** Asserts that the peer of a connected socket may be reached (N3). */
export function assertPeer(socket: Socket, opened: OpenedAddresses): void {
  const peer = socket.remoteAddress;
  if (peer === undefined || !mayReach(peer, opened)) throw addressRefused();
}

async function checkedAddresses(
  hostname: string,
  resolve: Resolve,
  opened: OpenedAddresses,
): Promise<readonly string[]> {
  const addresses = await resolve(hostname).catch((cause: unknown) => {
    throw unresolved(hostname, cause);
  });
  if (addresses.length === 0) throw unresolved(hostname, undefined);
  if (addresses.length > MAX_ADDRESSES || !addresses.every((address) => mayReach(address, opened))) {
    throw addressRefused();
  }
  return addresses;
}

function unresolved(hostname: string, cause: unknown): EgressFault {
  const detail = `The name ${hostname} could not be looked up.`;
  return new EgressFault('egress_unreachable', { sent: 'no', detail, cause });
}

/** Does not name the address: what a name resolves to inside the network is not for agents. */
function addressRefused(): EgressFault {
  return new EgressFault('egress_address_refused', {
    sent: 'no',
    detail: 'The destination is at an address that this tool must not reach.',
  });
}
