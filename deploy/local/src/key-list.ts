/** The keys of an installation, as far as they are no secret. */
import { publicKeyFromRaw, readCertifiedKeys } from '@interlock/keys';
import { Failure, readIfPresent, readOperator } from '@interlock/shell';
import { z } from 'zod';
import { dataFiles } from './installation-files.ts';

const kekSchema = z.object({ kekId: z.string() });

export interface ListedKey {
  /** A service, the author of policies, or the operator. */
  holder: string;
  /** What the holder does with it. */
  use: 'certify' | 'sign' | 'seal' | 'encrypt';
  keyId: string;
  /** Absent for a key that does not expire. */
  notAfter?: number;
}

/**
 * Returns the operator's root key, the keys it certified, and the key that encrypts stored credentials.
 * Throws `not_running` for a folder without keys, and `statement_invalid` when the root key did not sign the keyring.
 */
export async function keysOf(data: string): Promise<ListedKey[]> {
  const files = dataFiles(data);
  const [operatorText, keyring, kek] = await Promise.all(
    [files.operator, files.keyring, files.kek].map(readIfPresent),
  );
  if (operatorText === undefined || keyring === undefined || kek === undefined)
    throw new Failure(
      'not_running',
      `The data folder ${data} has no keys: Interlock was never started with it.`,
      {
        next: 'Name the data folder of an installation with --data, or its configuration with --config.',
      },
    );
  const { keyId, rootKey } = readOperator(operatorText);
  const certified = readCertifiedKeys(keyring.trim(), publicKeyFromRaw('Ed25519', rootKey));
  return [
    { holder: 'operator', use: 'certify', keyId },
    ...certified.map(({ service: holder, use, keyId: id, notAfter }) => ({
      holder,
      use,
      keyId: id,
      notAfter,
    })),
    { holder: 'broker', use: 'encrypt', keyId: kekIdIn(kek, files.kek) },
  ];
}

function kekIdIn(text: string, file: string): string {
  try {
    return kekSchema.parse(JSON.parse(text)).kekId;
  } catch {
    // What the parsers throw may quote the key.
    throw new Failure('keys_malformed', `${file} is not a key file.`, { next: 'Restore it from a copy.' });
  }
}
