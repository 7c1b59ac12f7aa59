/** Bare connections into the accounts of a house, for tests that look behind the bus or try to get round it. */
import type { ServiceName } from '@interlock/contracts';
import type { TestBus } from '@interlock/testkit';
import { connect, type NatsConnection, nkeyAuthenticator } from '@nats-io/transport-node';
import { inboxPrefix } from './topology/accounts.ts';

/** Joins the account of a service with its own key; the provisioner's is the account that holds the streams. */
export async function join(house: TestBus, service: ServiceName): Promise<NatsConnection> {
  const { busSeed } = await house.keysOf(service);
  return connect({
    servers: house.nats.url,
    authenticator: nkeyAuthenticator(new TextEncoder().encode(busSeed.reveal())),
    inboxPrefix: inboxPrefix(service),
    noAsyncTraces: true,
  });
}
