/** Who is who in a data folder: the operator and every service's keys. Made once. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { createBusKeys, publicBusKey } from '@interlock/bus';
import { dataFiles, readIfThere, writePrivate } from '@interlock/cli';
import { type ServiceName, services } from '@interlock/contracts';
import {
  addAuthor,
  createIdentities,
  createOperator,
  Failure,
  type Operator,
  operatorFile,
  readOperator,
  writeIdentities,
} from '@interlock/shell';
import { z } from 'zod';

const DAY_MS = 86_400_000;
/** Keys of services are made with the data folder and last as long as one is likely to. */
const KEYS_VALID_MS = 3_650 * DAY_MS;
const SECRET_BYTES = 32;
const keyFileSchema = z.object({ busSeed: z.string() });

/** What the processes need to know of the identities. */
export interface Identities {
  /** The operator's public key, for INTERLOCK_ROOT_KEY. */
  rootKey: string;
  /** Public NKeys, for the bus's configuration. */
  publicKeys: Record<ServiceName, string>;
}

/** Makes the identities of a data folder where there are none, and reads them. */
export async function ensureIdentities(data: string, nowMs: number): Promise<Identities> {
  const files = dataFiles(data);
  if ((await readIfThere(files.operator)) === undefined) await makeIdentities(data, nowMs);
  await ensureSecret(files.callIdKey);
  await ensureSecret(files.traceToken);
  const operator = readOperator(await mustRead(files.operator));
  await ensureAuthor(data, operator, nowMs);
  const seeds = await Promise.all(
    services.map(async (service) => [service, await readSeed(data, service)] as const),
  );
  return {
    rootKey: operator.rootKey,
    publicKeys: recordOf(seeds.map(([service, seed]) => [service, publicBusKey(seed)])),
  };
}

/** The operator's file is written last: while it is missing, everything is made again. */
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

/** A folder made when nobody signed policies gets an author; one whose author's key was taken away keeps waiting for it. */
async function ensureAuthor(data: string, operator: Operator, nowMs: number): Promise<void> {
  const files = dataFiles(data);
  if ((await readIfThere(files.author)) !== undefined) return;
  const keyring = await mustRead(files.keyring);
  await writeIdentities(
    files.keys,
    addAuthor(operator, { keyring, nowMs, notAfterMs: nowMs + KEYS_VALID_MS }),
  );
}

async function ensureSecret(file: string): Promise<void> {
  if ((await readIfThere(file)) !== undefined) return;
  await writePrivate(file, `${randomBytes(SECRET_BYTES).toString('base64url')}\n`);
}

async function readSeed(data: string, service: ServiceName): Promise<string> {
  const file = path.join(dataFiles(data).keys, `${service}.json`);
  try {
    return keyFileSchema.parse(JSON.parse(await mustRead(file))).busSeed;
  } catch {
    // What the parsers throw may quote a private key.
    throw new Failure('keys_malformed', `${file} is not a key file.`, {
      next: 'Put it back from a copy, or start with another --data folder.',
    });
  }
}

async function mustRead(file: string): Promise<string> {
  const text = await readIfThere(file);
  if (text !== undefined) return text;
  throw new Failure('keys_missing', `${file} is missing.`, {
    next: 'Put it back from a copy, or start with another --data folder.',
  });
}

function recordOf(entries: readonly (readonly [ServiceName, string])[]): Record<ServiceName, string> {
  return z.record(z.enum(services), z.string()).parse(Object.fromEntries(entries));
}
