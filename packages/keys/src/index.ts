export { type SigningKey, signJws, verifyJws } from './jws.ts';
export {
  type AuthorKey,
  authorKeySchema,
  type CertifiedKey,
  certifiedKeySchema,
  createKey,
  Keyring,
  publicKeyFromRaw,
  rawPublicKey,
  readCertifiedKeys,
  readKeyring,
  type SealKey,
  type ServiceKeys,
  serviceKeysSchema,
  signKeyring,
} from './keyring.ts';
export { seal, unseal } from './seal.ts';
export { Secret } from './secret.ts';
export { signStatement, verifyStatement } from './statements.ts';
