import { isIP, isIPv4 } from 'node:net';
import type { Call } from '@interlock/contracts';

/** RFC 4291, section 2.5.5.2. */
const MAPPED = /^::ffff:([0-9.]+)$/i;

/**
 * Returns where a request came from, as the socket says: a header could be the agent's own invention.
 * An IPv4 address is written as one, also where the socket speaks IPv6. Undefined when the socket is gone.
 */
export function originOf(remoteAddress: string | undefined): Call['origin'] {
  if (remoteAddress === undefined) return undefined;
  const mapped = MAPPED.exec(remoteAddress)?.[1];
  const address = mapped !== undefined && isIPv4(mapped) ? mapped : remoteAddress;
  return isIP(address) === 0 ? undefined : { address };
}
