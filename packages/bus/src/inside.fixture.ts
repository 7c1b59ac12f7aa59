/** Connections into the accounts of a test bus with a bare client, for tests that check or attack what is behind the bus. */
import type { ServiceName } from '@interlock/contracts';
import type { TestBus } from '@interlock/testkit';
import { connect, type NatsConnection, nkeyAuthenticator } from '@nats-io/transport-node';
import { inboxPrefix } from './topology/accounts.ts';

/** Joins the account of a service with its own key; the provisioner's is the account that holds the streams. */
export async function join(testBus: TestBus, service: ServiceName): Promise<NatsConnection> {
  const { busSeed } = await testBus.keysOf(service);
  return connect({
    servers: testBus.nats.url,
    authenticator: nkeyAuthenticator(new TextEncoder().encode(busSeed.reveal())),
    inboxPrefix: inboxPrefix(service),
    noAsyncTraces: true,
  });
}
