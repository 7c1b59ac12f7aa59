import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Bus, connectBus, connectProvisioner, createBusKeys, natsServerConfig } from '@interlock/bus';
import {
  type PersonEntry,
  type ServiceName,
  type SignedBundle,
  services,
  sha256,
} from '@interlock/contracts';
import { authorKeySchema, type Keyring, signStatement } from '@interlock/keys';
import {
  createIdentities,
  createOperator,
  loadKeyring,
  loadKeys,
  startServices,
  systemClock,
  writeIdentities,
} from '@interlock/shell';
import { eventually, startNats } from '@interlock/testkit';
import { z } from 'zod';
import { consoleService } from './main.ts';

const HOUR_MS = 3_600_000;
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A console on a real bus, and the other services' places on that bus. */
export interface House extends AsyncDisposable {
  readonly url: string;
  readonly keyring: Keyring;
  /** Joins the bus in the place of a service. */
  join(service: ServiceName): Promise<Bus>;
  /** Returns a bundle that the author signed; its content is any text. */
  signed(content: string): SignedBundle;
  ask(person: string, method: string, url: string, body?: object): Promise<{ status: number; body: unknown }>;
}

/** Returns a person's token. */
export function tokenOf(person: string): string {
  return `ilp_${person.padEnd(43, '0')}`;
}

/** Starts a NATS server, provisions it, and starts the console with its people. */
export async function startTestBus(people: Omit<PersonEntry, 'tokenHash'>[]): Promise<House> {
  await using owned = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'interlock-console-'));
  owned.defer(() => rm(folder, { recursive: true, force: true }));
  const keys = createBusKeys();
  const pick = (of: 'seed' | 'publicKey') =>
    z
      .record(z.enum(services), z.string())
      .parse(Object.fromEntries(services.map((name) => [name, keys[name][of]])));
  const nats = owned.use(
    await startNats({
      configText: (storeDir, port) =>
        natsServerConfig({ host: '127.0.0.1', port, storeDir, publicKeys: pick('publicKey') }),
    }),
  );
  const operator = createOperator();
  const nowMs = systemClock.nowMs();
  const identities = createIdentities(operator, { seeds: pick('seed'), nowMs, notAfterMs: nowMs + HOUR_MS });
  await writeIdentities(path.join(folder, 'keys'), identities);
  const keyringFile = path.join(folder, 'keys', 'keyring.jws');
  const keyring = await loadKeyring({ keyringFile, rootKey: operator.rootKey });
  const keysOf = (service: ServiceName) => loadKeys(service, path.join(folder, 'keys'), keyring, nowMs);

  const { busSeed: seed } = await keysOf('provisioner');
  await using provisioner = await connectProvisioner({ nats, seed, log: quiet, replicas: 1 });
  await provisioner.provision();

  const peopleFile = path.join(folder, 'people.json');
  const seeded = people.map((person) => ({ ...person, tokenHash: sha256(tokenOf(person.person)) }));
  await writeFile(peopleFile, JSON.stringify({ people: seeded }));
  const env = {
    NATS_URL: nats.url,
    INTERLOCK_KEYS: path.join(folder, 'keys'),
    INTERLOCK_KEYRING: keyringFile,
    INTERLOCK_ROOT_KEY: operator.rootKey,
    INTERLOCK_PEOPLE_FILE: peopleFile,
    INTERLOCK_LOG_LEVEL: 'fatal',
  };
  const started = owned.use(
    await startServices([consoleService], { env, stop: new AbortController().signal }),
  );
  await eventually(async () => (await fetch(new URL('/readyz', started.healthUrl))).ok);
  const authorFile = await readFile(path.join(folder, 'keys', 'author.json'), 'utf8');
  const { sign } = authorKeySchema.parse(JSON.parse(authorFile));
  const url = started.services[0]?.url ?? '';
  const joined = owned.use(new AsyncDisposableStack());
  const open = owned.move();
  return {
    url,
    keyring,
    join: async (service) => {
      const own = await keysOf(service);
      return joined.use(
        await connectBus({ service, nats, keys: own, keyring, clock: systemClock, log: quiet }),
      );
    },
    signed: (content) => {
      const statement = { type: 'bundle' as const, digest: sha256(content), bytes: content.length };
      return {
        bundle: Buffer.from(content).toString('base64'),
        signature: signStatement({ ...statement, issuedAt: systemClock.nowMs() }, sign),
      };
    },
    ask: async (person, method, address, body) => {
      const response = await fetch(new URL(address, url), {
        method,
        headers: { authorization: `Bearer ${tokenOf(person)}`, 'content-type': 'application/json' },
        ...(method === 'GET' ? {} : { body: JSON.stringify(body ?? {}) }),
      });
      return { status: response.status, body: await response.json() };
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
