/**
 * The connection goes to an address that was checked, and to no other.
 *
 * 1. A name is looked up once per new connection; the very answer that was checked is what the socket gets.
 * 2. One refused address refuses the name: an honest name does not mix public and private addresses, a
 *    rebinding one does.
 * 3. The address at the other end of the finished socket is checked again, whatever led there.
 */
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { mayReach, type OpenedAddresses } from './address.ts';
import { EgressFault } from './fault.ts';

/** Looks a name up: every address of it, IPv4 or IPv6, in the order in which they are to be tried. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** More addresses than any real service has behind one name. */
const MAX_ADDRESSES = 64;

/** The system's resolver, hosts file included. */
export const resolveBySystem: Resolve = async (hostname) => {
  const found = await lookup(hostname, { all: true, order: 'verbatim' });
  return found.map(({ address }) => address);
};

/** A lookup for `net.connect` which hands out only what was checked (1, 2). */
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
 * Asserts that a host which is an address already may be reached; names pass, their look-up checks them.
 * @param host without brackets.
 * @throws EgressFault `egress_address_refused`.
 */
export function assertLiteral(host: string, opened: OpenedAddresses): void {
  if (isIP(host) !== 0 && !mayReach(host, opened)) throw addressRefused();
}

/** Asserts that a connected socket ends where it may (3). */
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

/** Does not name the address: what a name resolves to inside is nobody's business outside. */
function addressRefused(): EgressFault {
  return new EgressFault('egress_address_refused', {
    sent: 'no',
    detail: 'The destination is at an address that this tool must not reach.',
  });
}
