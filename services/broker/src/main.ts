import { connectBus } from '@interlock/bus';
import { openSource } from '@interlock/gate';
import { defineService, run } from '@interlock/shell';
import { answerLease, answerSeal, type BrokerParts } from './answer.ts';
import { brokerConfigSchema } from './config.ts';
import { readKek } from './kek.ts';
import { traceLease } from './trace.ts';

/** Leases one credential for one claimed call to one destination, and encrypts credentials for storage. */
export const brokerService = defineService({
  name: 'broker',
  config: brokerConfigSchema,
  start: async ({ config, clock, health, keyring, keys, log, nats, service }) => {
    const kek = await readKek(config.INTERLOCK_KEK_FILE);
    await using stack = new AsyncDisposableStack();
    const bus = stack.use(await connectBus({ service, nats, keys, keyring, clock, log }));
    health.add('bus', () => bus.ready);
    const switches = stack.use(await bus.entries('switches').watch());
    health.add('switches', () => switches.current || 'the copy of the kill switches may be behind');
    const tools = stack.use(await openSource(bus, 'tools'));
    const credentials = stack.use(await openSource(bus, 'credentials'));
    const nowMs = () => clock.nowMs();
    const parts: BrokerParts = { bus, switches, tools, credentials, kek, keyring, keys, nowMs };
    await bus.serve('broker.lease', (asked) => traceLease(asked.call, () => answerLease(parts, asked)));
    await bus.serve('broker.seal', async (asked) => answerSeal(parts, asked));
    const owned = stack.move();
    return { [Symbol.asyncDispose]: () => owned.disposeAsync() };
  },
});

if (import.meta.main) await run([brokerService]);
