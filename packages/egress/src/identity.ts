import { Fault } from '@interlock/contracts';

/** The identity for which a request is made, as the gateway authenticated it. */
export type Identity = {
  agent: string;
  user: string;
  /** Absent where there is one tenant only. */
  tenant?: string;
  session: string;
  call: string;
};

/** A header and the field of the identity it carries. */
export type IdentityHeader = { header: string; covered: string; field: keyof Identity };

/** Always sent and always signed, in this order. */
export const IDENTITY_HEADERS: readonly IdentityHeader[] = [
  { header: 'Interlock-Agent', covered: 'interlock-agent', field: 'agent' },
  { header: 'Interlock-User', covered: 'interlock-user', field: 'user' },
  { header: 'Interlock-Session', covered: 'interlock-session', field: 'session' },
  { header: 'Interlock-Call', covered: 'interlock-call', field: 'call' },
];

/** Sent and signed, after the others, where the identity names a tenant. */
export const TENANT_HEADER: IdentityHeader = {
  header: 'Interlock-Tenant',
  covered: 'interlock-tenant',
  field: 'tenant',
};

/**
 * Room for e-mail addresses and SPIFFE ids. No comma and no space: two headers of one name that a server joined
 * into one value are not an identity.
 */
const VALUE = /^[A-Za-z0-9_.@:/+~=-]{1,256}$/;

/**
 * Asserts that a field of an identity has only the characters of `VALUE`.
 * @throws Fault `signature_malformed` with a pointer to the field.
 */
export function assertIdentityValue(value: string, field: keyof Identity): void {
  if (VALUE.test(value)) return;
  throw new Fault('signature_malformed', {
    detail: `The ${field} has a character that identities cannot have.`,
    pointer: `/${field}`,
  });
}
