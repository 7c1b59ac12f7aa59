import { connectBus, type Delivery, type Ledger, type Next } from '@interlock/bus';
import { type Call, Fault } from '@interlock/contracts';
import { assertInTime, refusedEvent, verifyDecision } from '@interlock/gate';
import type { Keyring } from '@interlock/keys';
import { defineService, run, type ServiceContext } from '@interlock/shell';
import { concludeCharges, planCharges } from './admit.ts';
import { configSchema } from './config.ts';
import { type Counters, openCounters } from './counters.ts';
import { type LimiterEntries, watchEntries } from './entries.ts';
import { epochSchema } from './epoch.ts';

/** Calls looked at together: one Redis connection answers them in one round trip. */
const CONCURRENCY = 256;

/** The limiter: takes from every limit of a decided call, and admits or refuses it. */
export const limiterService = defineService({
  name: 'limiter',
  config: configSchema,
  async start(context) {
    await using stack = new AsyncDisposableStack();
    const { service, nats, keys, keyring, clock, log, health, config } = context;
    const bus = stack.use(await connectBus({ service, nats, keys, keyring, clock, log }));
    const entries = stack.use(await watchEntries(bus));
    const counters = stack.use(
      openCounters({ url: config.REDIS_URL, epochs: bus.records('epochs', epochSchema), log }),
    );
    health.add('bus', () => bus.connected || 'the bus is away');
    health.add('redis', () => counters.ready);
    health.add('entries', () => entries.ready);
    const seen: Seen = { obligations: false };
    const parts: Parts = { entries, counters, seen, keyring, clock };
    await giveBack(bus, parts, log);
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

/** A second run is harmless: what is taken is keyed by call, and the bus takes one successor. */
async function admit(delivery: Delivery<'decided'>, parts: Parts): Promise<Next<'decided'>> {
  try {
    return { step: 'admitted', body: { ...delivery.event, charges: await chargeFor(delivery, parts) } };
  } catch (error) {
    // What passes by itself goes back to the bus and comes again until the call's deadline.
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
  return concludeCharges(plan.charges, await counters.take({ tenant, call, ...plan }));
}

/** Gives back when calls end. What is missed here expires, later and so in the operator's favour. */
async function giveBack(
  bus: Ledger,
  { entries, counters, seen }: Parts,
  log: ServiceContext<unknown>['log'],
): Promise<void> {
  const ended = (call: Pick<Call, 'tenant' | 'call'>, step: 'settled' | 'refused') => {
    if (!entries.givesBack && !seen.obligations) return;
    counters.release(call, step).catch((error: unknown) => {
      log.debug({ err: error, call: call.call }, 'what a call held was not given back');
    });
  };
  await bus.onStored('settled', (settled) => ended(settled, 'settled'));
  await bus.onStored('refused', (refused) => ended(refused, 'refused'));
}

/** Whether policy ever obliged this replica to anything: then the end of a call may give something back. */
interface Seen {
  obligations: boolean;
}

type Parts = Pick<ServiceContext<unknown>, 'keyring' | 'clock'> & {
  entries: LimiterEntries;
  counters: Counters;
  seen: Seen;
};

if (import.meta.main) await run([limiterService]);
