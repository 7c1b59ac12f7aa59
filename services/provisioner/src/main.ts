import { connectProvisioner } from '@interlock/bus';
import { defineService, run } from '@interlock/shell';
import { configSchema } from './config.ts';
import { keepLine } from './keep-line.ts';
import { watchFill } from './watch-fill.ts';
import { watchStores } from './watch-stores.ts';

/** The provisioner: makes streams, consumers and buckets from the lifecycle table, and the line again when it is lost. */
export const provisionerService = defineService({
  name: 'provisioner',
  config: configSchema,
  async start(context) {
    await using stack = new AsyncDisposableStack();
    const { nats, keys, log, health, config } = context;
    const provisioner = stack.use(
      await connectProvisioner({
        nats,
        seed: keys.busSeed,
        log,
        replicas: config.INTERLOCK_STREAM_REPLICAS,
        ...(config.INTERLOCK_LEDGER_MAX_BYTES === undefined
          ? {}
          : { ledgerMaxBytes: config.INTERLOCK_LEDGER_MAX_BYTES }),
      }),
    );
    const made = await provisioner.provision();
    log.info({ made }, 'every stream, consumer and bucket exists; made those that were missing');
    health.add('bus', () => provisioner.connected || 'disconnected from NATS');
    stack.use(keepLine(provisioner, context));
    const stores = stack.use(watchStores(provisioner, context));
    health.add('stores', () => stores.ready);
    health.addFact('unwritable', () => stores.unwritable);
    const fill = stack.use(watchFill(provisioner, context));
    health.addFact('filling', () => fill.filling);
    const owned = stack.move();
    return { [Symbol.asyncDispose]: () => owned.disposeAsync() };
  },
});

if (import.meta.main) await run([provisionerService]);
