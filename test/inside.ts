/** What only tests may do: connect to the bus of a running installation as a service, and read what is on disk. */
import { type Dirent, promises as fs } from 'node:fs';
import path from 'node:path';
import { type Bus, connectBus } from '@interlock/bus';
import type { ServiceName } from '@interlock/contracts';
import { type AuthorKey, authorKeySchema, type Keyring, type ServiceKeys } from '@interlock/keys';
import type { RunningInterlock } from '@interlock/local';
import { loadKeyring, loadKeys, readOperator, systemClock } from '@interlock/shell';
import { connectObserver, type Observer } from '@interlock/testkit';
import { z } from 'zod';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const portsSchema = z.looseObject({ nats: z.int() });

type Folder = Pick<RunningInterlock, 'data'>;

/** Reads the keys that the operator's root certified. */
export async function keyringOf({ data }: Folder): Promise<Keyring> {
  const { rootKey } = readOperator(await fs.readFile(path.join(data, 'operator', 'operator.json'), 'utf8'));
  return await loadKeyring({ keyringFile: path.join(data, 'keys', 'keyring.jws'), rootKey });
}

/** Reads a service's own keys. */
export async function keysOf(folder: Folder, service: ServiceName): Promise<ServiceKeys> {
  return await loadKeys(
    service,
    path.join(folder.data, 'keys'),
    await keyringOf(folder),
    systemClock.nowMs(),
  );
}

/** Connects to the bus with the account of a service. */
export async function joinBus(folder: Folder, service: ServiceName): Promise<Bus> {
  return await connectBus({
    service,
    nats: { url: await busUrlOf(folder) },
    keys: await keysOf(folder, service),
    keyring: await keyringOf(folder),
    clock: systemClock,
    log: silent,
  });
}

/** Connects an observer with the account that holds the streams. */
export async function observeBus(folder: Folder): Promise<Observer> {
  const { busSeed } = await keysOf(folder, 'provisioner');
  return await connectObserver({ url: await busUrlOf(folder), seed: busSeed });
}

/** Reads the key that signs policies. */
export async function authorOf({ data }: Folder): Promise<AuthorKey['sign']> {
  const text = await fs.readFile(path.join(data, 'keys', 'author.json'), 'utf8');
  return authorKeySchema.parse(JSON.parse(text)).sign;
}

async function busUrlOf({ data }: Folder): Promise<string> {
  const { nats } = portsSchema.parse(JSON.parse(await fs.readFile(path.join(data, 'ports.json'), 'utf8')));
  return `nats://127.0.0.1:${nats}`;
}

/** Returns every file below a folder with its bytes, without those that are deleted meanwhile. */
export async function filesBelow(folder: string): Promise<{ file: string; bytes: Buffer }[]> {
  const entries: Dirent[] = await fs.readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => path.join(parentPath, name));
  const read = await Promise.all(
    files.map(async (file) => ({ file, bytes: await fs.readFile(file).catch(() => undefined) })),
  );
  return read.flatMap(({ file, bytes }) => (bytes === undefined ? [] : [{ file, bytes }]));
}
