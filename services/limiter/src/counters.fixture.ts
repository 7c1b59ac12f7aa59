/** Counters on a real Redis, and the records of an installation on a real bus. */
import type { Records } from '@interlock/bus';
import { Secret } from '@interlock/keys';
import { systemClock } from '@interlock/shell';
import { eventually, type RedisServer, startTestBus } from '@interlock/testkit';
import { type Counters, openCounters } from './counters.ts';
import { type Epoch, epochSchema } from './epoch.ts';

const READY_WITHIN_MS = 10_000;

/** Opens counters on a Redis; `url` and `log` may be others. */
export function countersOn(
  redis: RedisServer,
  { epochs }: Installation,
  more: Partial<Pick<Parameters<typeof openCounters>[0], 'url' | 'password' | 'log'>> = {},
): Counters {
  const log = { info() {}, warn() {} };
  return openCounters({
    url: new Secret(redis.url),
    password: undefined,
    epochs,
    clock: systemClock,
    log,
    ...more,
  });
}

/** Opens counters and waits until they are ready. */
export async function readyCounters(redis: RedisServer, installation: Installation): Promise<Counters> {
  const counters = countersOn(redis, installation);
  await eventually(() => counters.ready === true, READY_WITHIN_MS);
  return counters;
}

/** The durable records of an installation: what NATS knows of its Redis. */
export interface Installation extends AsyncDisposable {
  readonly epochs: Records<Epoch>;
}

/** Starts the bus of an installation whose limiter has never run. */
export async function startInstallation(): Promise<Installation> {
  await using stack = new AsyncDisposableStack();
  const testBus = stack.use(await startTestBus());
  const epochs = (await testBus.busOf('limiter')).records('epochs', epochSchema);
  const owned = stack.move();
  return { epochs, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
