import {
  type AuthorKey,
  Fault,
  type Keyring,
  type Statement,
  sha256,
  signStatement,
  verifyStatement,
} from '@interlock/contracts';

/** Signs a bundle as its author: a statement `bundle` over its digest and size, as compact JWS (RFC 7515). */
export function signBundle(bytes: Uint8Array, key: AuthorKey['sign'], nowMs: number): string {
  return signStatement(
    { type: 'bundle', digest: sha256(bytes), bytes: bytes.byteLength, issuedAt: nowMs },
    key,
  );
}

/**
 * Verifies that an author the keyring certifies signed these very bytes, and returns the statement.
 * Throws `statement_invalid`.
 */
export function verifyBundle(
  jws: string,
  keyring: Keyring,
  bytes: Uint8Array,
  nowMs: number,
): Statement<'bundle'> {
  const statement = verifyStatement(jws, 'bundle', keyring, nowMs);
  if (statement.bytes === bytes.byteLength && statement.digest === sha256(bytes)) return statement;
  throw new Fault('statement_invalid', { detail: 'The signature is for another policy bundle.' });
}
