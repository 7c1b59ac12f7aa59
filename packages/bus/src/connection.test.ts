/** TLS to NATS, against real servers: what is connected is encrypted and verified, and the rest is refused at once. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ServiceName, services } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { type NatsServer, selfSigned, startNats } from '@interlock/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { reconnectPace } from './connection.ts';
import { connectProvisioner, createBusKeys, type NatsAddress, natsServerConfig } from './index.ts';

const busKeys = createBusKeys();
const publicKeys = Object.fromEntries(
  services.map((service) => [service, busKeys[service].publicKey]),
) as Record<ServiceName, string>;
const silent = { debug() {}, info() {}, warn() {}, error() {} };
/** Sooner than the start gives up on a server that does not answer. */
const AT_ONCE_MS = 10_000;

let named: NatsServer;
let misnamed: NatsServer;
let plain: NatsServer;
beforeAll(async () => {
  [named, misnamed, plain] = await Promise.all([
    startServer('localhost'),
    startServer('nats.example'),
    startServer(undefined),
  ]);
});
afterAll(async () => {
  for (const nats of [named, misnamed, plain]) await nats?.[Symbol.asyncDispose]();
});

/** Starts a server with a certificate for a name, or without TLS. */
async function startServer(name: string | undefined): Promise<NatsServer> {
  let tls = '';
  const nats = await startNats({
    configText: (storeDir, port) => natsServerConfig({ host: '127.0.0.1', port, storeDir, publicKeys }) + tls,
  });
  if (name === undefined) return nats;
  const { cert, key } = selfSigned(name);
  const [certFile, keyFile] = [caFileOf(nats), join(nats.server.folder, 'key.pem')];
  await writeFile(certFile, cert);
  await writeFile(keyFile, key, { mode: 0o600 });
  tls = `tls { cert_file: ${JSON.stringify(certFile)}, key_file: ${JSON.stringify(keyFile)} }\n`;
  await nats.server.restart();
  return nats;
}

function caFileOf({ server }: NatsServer): string {
  return join(server.folder, 'certificate.pem');
}

function addressOf({ server }: NatsServer, caFile?: string): NatsAddress {
  return { url: `tls://localhost:${server.port}`, ...(caFile === undefined ? {} : { caFile }) };
}

function connectTo(nats: NatsAddress) {
  const seed = new Secret(busKeys.provisioner.seed);
  return connectProvisioner({ nats, seed, log: silent, replicas: 1 });
}

test('[P-nats-tls] a server whose certificate verifies is used', async () => {
  await using provisioner = await connectTo(addressOf(named, caFileOf(named)));
  expect(await provisioner.provision()).toContain('LEDGER');
});

test.each<[string, () => NatsAddress]>([
  ['that has no TLS', () => addressOf(plain)],
  ['whose certificate no known authority signed', () => addressOf(named)],
  ['whose certificate is for another name', () => addressOf(misnamed, caFileOf(misnamed))],
])(
  '[P-nats-tls] a server %s ends the start at once, and the error names the variable',
  async (_words, nats) => {
    await expect(connectTo(nats())).rejects.toMatchObject({
      code: 'configuration_invalid',
      detail: expect.stringContaining('NATS_URL asks for TLS'),
    });
  },
  AT_ONCE_MS,
);

test('[P-nats-tls] a file of authorities that cannot be read ends the start, and the error names the variable', async () => {
  await expect(connectTo(addressOf(named, '/nowhere/ca.pem'))).rejects.toMatchObject({
    code: 'configuration_invalid',
    detail: expect.stringContaining('INTERLOCK_NATS_CA_FILE'),
  });
});

test('[P-recovers] the client tries again by the time that has passed, whatever the clock on the wall said at its last attempt', () => {
  let nowMs = 5;
  const pace = reconnectPace(
    () => nowMs,
    () => 250,
  );
  const waits = [0, 249, 1, 100].map((ms) => {
    nowMs += ms;
    return pace();
  });
  expect(waits).toEqual([Number.NEGATIVE_INFINITY, 250, Number.NEGATIVE_INFINITY, 250]);
});
