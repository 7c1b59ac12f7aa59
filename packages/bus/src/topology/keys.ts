import { type ServiceName, services } from '@interlock/contracts';
import { createUser, fromSeed } from '@nats-io/nkeys';

/** A service's NKey: the seed that logs in and the public half that the server's configuration names. */
export interface BusKey {
  seed: string;
  publicKey: string;
}

/** Makes one NKey for each service. */
export function createBusKeys(): Record<ServiceName, BusKey> {
  const entries = services.map((service) => {
    const pair = createUser();
    return [service, { seed: new TextDecoder().decode(pair.getSeed()), publicKey: pair.getPublicKey() }];
  });
  return Object.fromEntries(entries);
}

/** Returns the public half of an NKey seed. */
export function publicBusKey(seed: string): string {
  return fromSeed(new TextEncoder().encode(seed)).getPublicKey();
}
