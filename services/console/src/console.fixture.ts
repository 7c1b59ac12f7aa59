import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Bus } from '@interlock/bus';
import { type PersonEntry, type ServiceName, type SignedBundle, sha256 } from '@interlock/contracts';
import { type Keyring, signStatement } from '@interlock/keys';
import { eventually, type NatsServer, startTestBus } from '@interlock/testkit';
import { consoleService } from './main.ts';

/** A console on a real bus, and connections of the other services to that bus. */
export interface ConsoleFixture extends AsyncDisposable {
  readonly url: string;
  readonly nats: NatsServer;
  readonly keyring: Keyring;
  /** Connects to the bus as a service. */
  join(service: ServiceName): Promise<Bus>;
  /** Returns a bundle that the author signed; its content is any text. */
  signed(content: string): SignedBundle;
  ask(person: string, method: string, url: string, body?: object): Promise<{ status: number; body: unknown }>;
}

/** Returns a person's token. */
export function tokenOf(person: string): string {
  return `ilp_${person.padEnd(43, '0')}`;
}

/** Starts a bus, and the console with its people on it. */
export async function startConsole(people: Omit<PersonEntry, 'tokenHash'>[]): Promise<ConsoleFixture> {
  await using stack = new AsyncDisposableStack();
  const testBus = stack.use(await startTestBus());
  const peopleFile = path.join(testBus.keysFolder, 'people.json');
  const seeded = people.map((person) => ({ ...person, tokenHash: sha256(tokenOf(person.person)) }));
  await writeFile(peopleFile, JSON.stringify({ people: seeded }));
  const started = await testBus.start([consoleService], { INTERLOCK_PEOPLE_FILE: peopleFile });
  await eventually(async () => (await fetch(new URL('/readyz', started.healthUrl))).ok);
  const author = await testBus.authorKey();
  const url = started.services[0]?.url ?? '';
  const owned = stack.move();
  return {
    url,
    nats: testBus.nats,
    keyring: testBus.keyring,
    join: (service) => testBus.busOf(service),
    signed: (content) => {
      const statement = { type: 'bundle' as const, digest: sha256(content), bytes: content.length };
      return {
        bundle: Buffer.from(content).toString('base64'),
        signature: signStatement({ ...statement, issuedAt: Date.now() }, author),
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
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
