import { Fault, type Statement, type StatementType, statements } from '@interlock/contracts';
import { type SigningKey, signJws, verifyJws } from './jws.ts';
import type { Keyring } from './keyring.ts';

/** Signs a statement. */
export function signStatement<T extends StatementType>(
  statement: Statement<T> & { type: T },
  key: SigningKey,
): string {
  return signJws(`interlock-${statement.type}`, statement, key);
}

/**
 * Verifies a statement's signature, type and signer, and returns it.
 * It does not check `notAfter`: whoever acts on the statement checks that when acting.
 * Throws `statement_invalid`.
 */
export function verifyStatement<T extends StatementType>(
  jws: string,
  type: T,
  keyring: Keyring,
  nowMs: number,
): Statement<T> {
  const { schema, signer } = statements[type];
  const { payload } = verifyJws(jws, `interlock-${type}`, (keyId) => {
    const found = keyring.find(keyId, 'sign', nowMs);
    return found?.service === signer ? found.key : undefined;
  });
  const parsed = schema.safeParse(payload);
  if (!parsed.success)
    throw new Fault('statement_invalid', {
      detail: 'The statement does not have the shape of its type.',
      cause: parsed.error,
    });
  return parsed.data as Statement<T>;
}
