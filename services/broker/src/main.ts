import { connectBus } from '@interlock/bus';
import { defineService, run } from '@interlock/shell';
import { answerLease, answerSeal, type BrokerParts } from './answer.ts';
import { brokerConfigSchema } from './config.ts';
import { readKek } from './kek.ts';
import { traceLease } from './trace.ts';

/** Leases one credential for one claimed call to one destination, and encrypts credentials for storage. */
export const brokerService = defineService({
  name: 'broker',
  config: brokerConfigSchema,
  start: async ({ config, clock, health, keyring, keys, log, natsUrl, service }) => {
    const kek = await readKek(config.INTERLOCK_KEK_FILE);
    const bus = await connectBus({ service, url: natsUrl, keys, keyring, clock, log });
    health.add('bus', () => bus.connected || 'the bus is away');
    const switches = await bus.entries('switches').watch();
    health.add('switches', () => switches.current || 'the kill switches may be behind');
    const parts: BrokerParts = { bus, switches, kek, keyring, keys, nowMs: () => clock.nowMs() };
    bus.serve('broker.lease', (asked) => traceLease(asked.call, () => answerLease(parts, asked)));
    bus.serve('broker.seal', async (asked) => answerSeal(parts, asked));
    return {
      [Symbol.asyncDispose]: async () => {
        await switches[Symbol.asyncDispose]();
        await bus[Symbol.asyncDispose]();
      },
    };
  },
});

if (import.meta.main) await run([brokerService]);
