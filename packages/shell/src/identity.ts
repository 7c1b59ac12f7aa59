import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, type ServiceName } from '@interlock/contracts';
import {
  type Keyring,
  publicKeyFromRaw,
  readKeyring,
  type ServiceKeys,
  serviceKeysSchema,
} from '@interlock/keys';
import { z } from 'zod';

/** What the operator gives every service: the keyring, and the root key that certifies it. */
export interface KeyringSource {
  /** Path of the keyring, a compact JWS. */
  keyringFile: string;
  /** Raw Ed25519 public key of the operator, base64url. */
  rootKey: string;
}

/**
 * Loads the keyring and verifies that the operator's root key signed it.
 * Throws `configuration_invalid`, naming the file.
 */
export async function loadKeyring({ keyringFile, rootKey }: KeyringSource): Promise<Keyring> {
  const jws = await readText('INTERLOCK_KEYRING', keyringFile);
  let root: KeyObject;
  try {
    root = publicKeyFromRaw('Ed25519', rootKey);
  } catch (cause) {
    throw invalid('INTERLOCK_ROOT_KEY is not an Ed25519 public key.', cause);
  }
  try {
    return readKeyring(jws.trim(), root);
  } catch (cause) {
    throw invalid(`${keyringFile} is not a keyring signed by the key in INTERLOCK_ROOT_KEY.`, cause);
  }
}

/**
 * Loads a service's own keys from `<folder>/<service>.json` and verifies that the keyring certifies both.
 * Throws `configuration_invalid`, naming the file, the JSON Pointer and what was expected, never a value.
 */
export async function loadKeys(
  service: ServiceName,
  folder: string,
  keyring: Keyring,
  nowMs: number,
): Promise<ServiceKeys> {
  const path = join(folder, `${service}.json`);
  const keys = parseKeys(path, await readText('INTERLOCK_KEYS', path));
  if (keys.service !== service) throw invalid(`${path}#/service: expected ${service}.`);
  for (const use of ['sign', 'seal'] as const) {
    const certified = keyring.find(keys[use].keyId, use, nowMs);
    if (certified?.service !== service || !createPublicKey(keys[use].privateKey).equals(certified.key))
      throw invalid(`${path}#/${use}: expected a key that the keyring certifies for ${service} and now.`);
  }
  return keys;
}

function parseKeys(path: string, text: string): ServiceKeys {
  const parsed = serviceKeysSchema.safeParse(parseJson(path, text));
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(
    (issue) => `${path}#/${issue.path.map(String).join('/')}: ${issue.message}`,
  );
  throw invalid(`${issues.join('; ')}.`);
}

function parseJson(path: string, text: string): unknown {
  try {
    return z.json().parse(JSON.parse(text));
  } catch {
    // The parser's own error quotes the text, which holds private keys: it is not passed on.
    throw invalid(`${path} is not JSON.`);
  }
}

async function readText(variable: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw invalid(`${variable}: ${path} cannot be read.`, cause);
  }
}

function invalid(detail: string, cause?: unknown): Fault {
  return new Fault('configuration_invalid', { detail, cause });
}
