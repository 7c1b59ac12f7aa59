import { type KeyObject, sign, verify } from 'node:crypto';
import { Fault, idSchema } from '@interlock/contracts';
import { z } from 'zod';

const headerSchema = z.strictObject({ alg: z.literal('EdDSA'), typ: z.string(), kid: idSchema });

/** A private key that signs, and the id others know it by. */
export interface SigningKey {
  keyId: string;
  privateKey: KeyObject;
}

/** Signs a payload as a compact JWS (RFC 7515, RFC 8037: EdDSA with Ed25519). docs/decisions/002 */
export function signJws(typ: string, payload: object, { keyId, privateKey }: SigningKey): string {
  const header = encode({ alg: 'EdDSA', typ, kid: keyId });
  const signed = `${header}.${encode(payload)}`;
  return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString('base64url')}`;
}

/**
 * Verifies a compact JWS and returns its payload, still to be parsed, and the id of the key that signed it.
 * Throws `statement_invalid` when it is malformed, of another type, or signed by a key `keyOf` does not give.
 */
export function verifyJws(
  jws: string,
  typ: string,
  keyOf: (keyId: string) => KeyObject | undefined,
): { payload: unknown; keyId: string } {
  const [head, body, signature, ...rest] = jws.split('.');
  if (head === undefined || body === undefined || signature === undefined || rest.length > 0)
    throw invalid('The statement is malformed.');
  const header = headerSchema.safeParse(decode(head));
  if (!header.success || header.data.typ !== typ)
    throw invalid('The statement is of another type than expected.');
  const key = keyOf(header.data.kid);
  if (key === undefined)
    throw invalid('The key that signed the statement is unknown, expired, or may not sign it.');
  if (!verify(null, Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url')))
    throw invalid('The signature of the statement does not verify.');
  return { payload: decode(body), keyId: header.data.kid };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
  } catch (cause) {
    throw new Fault('statement_invalid', { detail: 'The statement is malformed.', cause });
  }
}

function invalid(detail: string): Fault {
  return new Fault('statement_invalid', { detail });
}
