/** The keys of an installation: the operator's, every service's and the author's. Made once, with the data folder. */
import { randomBytes } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { createBusKeys, publicBusKey } from '@interlock/bus';
import { type ServiceName, services } from '@interlock/contracts';
import {
  addAuthor,
  createIdentities,
  createOperator,
  Failure,
  type Operator,
  operatorFile,
  readIfPresent,
  readOperator,
  writeIdentities,
  writePrivate,
} from '@interlock/shell';
import { z } from 'zod';
import { dataFiles } from './installation-files.ts';

const DAY_MS = 86_400_000;
/** Keys of services are made with the data folder and last as long as one is likely to. */
const KEYS_VALID_MS = 3_650 * DAY_MS;
const SECRET_BYTES = 32;
const keyFileSchema = z.object({ busSeed: z.string() });

/** The public halves that processes are started with. */
export interface Identities {
  /** The operator's public key, for INTERLOCK_ROOT_KEY. */
  rootKey: string;
  /** Public NKeys by service, for the configuration of the NATS server. */
  publicKeys: Record<ServiceName, string>;
}

/** Makes the keys of a data folder that has none, and reads their public halves. */
export async function ensureIdentities(data: string, nowMs: number): Promise<Identities> {
  const files = dataFiles(data);
  if ((await readIfPresent(files.operator)) === undefined) await makeIdentities(data, nowMs);
  await refuseEmpty(files.operator, files.keys);
  await ensureSecret(files.callIdKey);
  await ensureSecret(files.traceToken);
  await ensureSecret(files.redisPassword);
  const operator = readOperator(await readKeyFile(files.operator));
  await ensureAuthor(data, operator, nowMs);
  const seeds = await Promise.all(
    services.map(async (service) => [service, await readSeed(data, service)] as const),
  );
  return {
    rootKey: operator.rootKey,
    publicKeys: recordOf(seeds.map(([service, seed]) => [service, publicBusKey(seed)])),
  };
}

/** The operator's file is written last: while it is missing, all keys are made again. */
async function makeIdentities(data: string, nowMs: number): Promise<void> {
  const files = dataFiles(data);
  const operator = createOperator();
  const keys = createBusKeys();
  const seeds = recordOf(services.map((service) => [service, keys[service].seed]));
  await writeIdentities(
    files.keys,
    createIdentities(operator, { seeds, nowMs, notAfterMs: nowMs + KEYS_VALID_MS }),
  );
  await writeIdentities(path.dirname(files.operator), [operatorFile(operator)]);
}

/** Makes an author's key for a keyring that certifies none. One that was moved to another place stays the only one. */
async function ensureAuthor(data: string, operator: Operator, nowMs: number): Promise<void> {
  const files = dataFiles(data);
  if ((await readIfPresent(files.author)) !== undefined) return;
  const keyring = await readKeyFile(files.keyring);
  await writeIdentities(
    files.keys,
    addAuthor(operator, { keyring, nowMs, notAfterMs: nowMs + KEYS_VALID_MS }),
  );
}

/** Every file with keys has content, unless a power cut or a full disk took it. Throws `keys_malformed`. */
async function refuseEmpty(operator: string, folder: string): Promise<void> {
  const files = (await readdir(folder)).map((name) => path.join(folder, name));
  for (const file of [operator, ...files]) {
    const { size } = await stat(file);
    if (size > 0) continue;
    throw new Failure('keys_malformed', `The key file ${file} is empty: what it held is lost.`, {
      next: 'Restore it from a copy. Without one, remove the data folder if it holds nothing you need yet, or start with another one.',
    });
  }
}

async function ensureSecret(file: string): Promise<void> {
  if ((await readIfPresent(file)) !== undefined) return;
  await writePrivate(file, `${randomBytes(SECRET_BYTES).toString('base64url')}\n`);
}

async function readSeed(data: string, service: ServiceName): Promise<string> {
  const file = path.join(dataFiles(data).keys, `${service}.json`);
  try {
    return keyFileSchema.parse(JSON.parse(await readKeyFile(file))).busSeed;
  } catch {
    // What the parsers throw may quote a private key.
    throw new Failure('keys_malformed', `${file} is not a key file.`, {
      next: 'Restore it from a copy, or start with another data folder.',
    });
  }
}

async function readKeyFile(file: string): Promise<string> {
  const text = await readIfPresent(file);
  if (text !== undefined) return text;
  throw new Failure('keys_missing', `The key file ${file} is missing.`, {
    next: 'Restore it from a copy, or start with another data folder.',
  });
}

function recordOf(entries: readonly (readonly [ServiceName, string])[]): Record<ServiceName, string> {
  return z.record(z.enum(services), z.string()).parse(Object.fromEntries(entries));
}
