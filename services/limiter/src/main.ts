import { connectBus, type Delivery, type Ledger, type Next } from '@interlock/bus';
import { type Call, Fault } from '@interlock/contracts';
import { assertInTime, refusedEvent, verifyDecision } from '@interlock/gate';
import type { Keyring } from '@interlock/keys';
import { defineService, run, type ServiceContext } from '@interlock/shell';
import { concludeCharges, planCharges } from './admit.ts';
import { configSchema, readRedisPassword } from './config.ts';
import { type Counters, openCounters } from './counters.ts';
import { type LimiterEntries, watchEntries } from './entries.ts';
import { epochSchema } from './epoch.ts';

/** Calls handled at once: one Redis connection answers them in one round trip. */
const CONCURRENCY = 256;

/** The limiter: charges a decided call to all its limits, and admits or refuses it. */
export const limiterService = defineService({
  name: 'limiter',
  config: configSchema,
  async start(context) {
    await using stack = new AsyncDisposableStack();
    const { service, nats, keys, keyring, clock, log, health, config } = context;
    const bus = stack.use(await connectBus({ service, nats, keys, keyring, clock, log }));
    const entries = stack.use(await watchEntries(bus));
    const counters = stack.use(
      openCounters({
        url: config.REDIS_URL,
        password: await readRedisPassword(config.INTERLOCK_REDIS_PASSWORD_FILE),
        epochs: bus.records('epochs', epochSchema),
        clock,
        log,
      }),
    );
    health.add('bus', () => bus.ready);
    health.add('redis', () => counters.ready);
    health.addFact('countersLostAt', () => counters.lostAt);
    health.add('entries', () => entries.ready);
    const seen: Seen = { obligations: false };
    const parts: Parts = { entries, counters, seen, keyring, clock };
    await releaseEnded(bus, parts, log);
    stack.use(
      await bus.step('limiter', {
        verb: (delivery) => admit(delivery, parts),
        poison: (delivery, fault) => refusalOf(delivery, fault, keyring, clock.nowMs()),
        concurrency: CONCURRENCY,
      }),
    );
    const owned = stack.move();
    return { [Symbol.asyncDispose]: () => owned.disposeAsync() };
  },
});

function refusalOf({ event }: Delivery<'decided'>, fault: Fault, keyring: Keyring, nowMs: number) {
  return refusedEvent({ call: event.call, by: 'limiter', fault, evidence: event }, keyring, nowMs);
}

/** A second run is harmless: charges are keyed by call, and the bus stores one successor. */
async function admit(delivery: Delivery<'decided'>, parts: Parts): Promise<Next<'decided'>> {
  try {
    return { step: 'admitted', body: { ...delivery.event, charges: await chargeFor(delivery, parts) } };
  } catch (error) {
    // A call that meets a passing fault is delivered again until its last instant.
    if (!(error instanceof Fault) || error.code === 'dependency_unavailable') throw error;
    return { step: 'refused', body: refusalOf(delivery, error, parts.keyring, parts.clock.nowMs()) };
  }
}

async function chargeFor({ event }: Delivery<'decided'>, parts: Parts) {
  const { entries, counters, seen, keyring, clock } = parts;
  const decision = verifyDecision(event, 'allow', keyring, clock.nowMs());
  // Checked before anything that may be unavailable, so that an outage ends in a refusal and not in silence.
  assertInTime(decision, clock.nowMs());
  const plan = planCharges(decision, event.call, await entries.factsOf(decision), clock.nowMs());
  if (decision.obligations.length > 0) seen.obligations = true;
  if (plan.charges.length === 0) return [];
  const { tenant, call } = decision;
  return concludeCharges(plan.charges, await counters.charge({ tenant, call, ...plan }));
}

/** Releases what calls hold when they end. What is missed here expires later, in the operator's favour. */
async function releaseEnded(
  bus: Ledger,
  { entries, counters, seen }: Parts,
  log: ServiceContext<unknown>['log'],
): Promise<void> {
  const ended = (call: Pick<Call, 'tenant' | 'call'>, step: 'settled' | 'refused') => {
    if (!entries.mayRelease && !seen.obligations) return;
    counters.release(call, step).catch((error: unknown) => {
      log.debug({ err: error, call: call.call }, 'what a call held was not released and expires later');
    });
  };
  await bus.onStored('settled', (settled) => ended(settled, 'settled'));
  await bus.onStored('refused', (refused) => ended(refused, 'refused'));
}

/** Whether this replica ever met an obligation: then the end of a call may release something. */
interface Seen {
  obligations: boolean;
}

type Parts = Pick<ServiceContext<unknown>, 'keyring' | 'clock'> & {
  entries: LimiterEntries;
  counters: Counters;
  seen: Seen;
};

if (import.meta.main) await run([limiterService]);
