import { isIP, isIPv4 } from 'node:net';
import type { Call } from '@interlock/contracts';

/** RFC 4291, section 2.5.5.2. */
const MAPPED = /^::ffff:([0-9.]+)$/i;

/**
 * Returns the network address of a request, from the socket: an agent could write anything into a header.
 * An IPv4 address is written as one, also on an IPv6 socket. Undefined after the socket was closed.
 */
export function originOf(remoteAddress: string | undefined): Call['origin'] {
  if (remoteAddress === undefined) return undefined;
  const mapped = MAPPED.exec(remoteAddress)?.[1];
  const address = mapped !== undefined && isIPv4(mapped) ? mapped : remoteAddress;
  return isIP(address) === 0 ? undefined : { address };
}
