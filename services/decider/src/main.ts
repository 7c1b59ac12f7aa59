import { connectBus, type EntryWatch, type Steps } from '@interlock/bus';
import { policyStatusSchema, sessionSchema } from '@interlock/contracts';
import { createFactReader } from '@interlock/facts';
import { openSource, readTool } from '@interlock/gate';
import { type Clock, defineService, type Health, run } from '@interlock/shell';
import { configSchema } from './config.ts';
import type { DecisionContext } from './context.ts';
import { emergencyOf, reportEmergency } from './emergency.ts';
import { evaluate } from './evaluate.ts';
import { Offers } from './offer.ts';
import { Policies } from './policies.ts';
import { PolicyStatusReporter } from './policy-status.ts';
import { agentOf } from './registry.ts';
import { openSessions } from './session.ts';
import { Shadow } from './shadow.ts';
import { decideRequested, decideResolved, poisonRequested, poisonResolved } from './steps.ts';

/** A published policy is loaded before the first call is decided; a store that does not answer is awaited this long. */
const FIRST_POLICY_MS = 10_000;
const FIRST_POLL_MS = 10;

/** Decides every call by policy, and again when a person has answered. */
export const deciderService = defineService({
  name: 'decider',
  config: configSchema,
  start: async ({ config, clock, health, keyring, keys, log, nats, replica, service, signal }) => {
    await using stack = new AsyncDisposableStack();
    const bus = stack.use(await connectBus({ service, nats, keys, keyring, clock, log }));
    health.add('bus', () => bus.ready);
    const tools = stack.use(await openSource(bus, 'tools'));
    const agents = stack.use(await openSource(bus, 'agents'));
    const newest = stack.use(await bus.entries('policies').watch());
    const policyStatuses = bus.records('policyStatuses', policyStatusSchema);
    const reporter = stack.use(new PolicyStatusReporter({ replica, bus, policyStatuses, clock, log }));
    const policies = new Policies({
      newest,
      blobs: bus.blobs('bundles'),
      keyring,
      clock,
      log,
      signal,
      onOutcome: (outcome) => reporter.report(outcome),
    });
    showPolicies(health, policies);
    await firstPolicies(policies, newest, clock);
    reporter.start(policies);
    const shadow = new Shadow(() => policies.candidate, clock);
    const emergencies = stack.use(await bus.entries('emergencies').watch());
    const facts = stack.use(createFactReader());
    const context: DecisionContext = {
      authority: { keys, keyring },
      policies,
      shadow,
      sessions: stack.use(await openSessions(bus.records('sessions', sessionSchema))),
      agentOf: (call) => agentOf(agents, call),
      toolOf: (call) => readTool(tools, call),
      parse: facts.read,
      emergencyOf: (call, nowMs) => emergencyOf(emergencies, call, nowMs),
      reportEmergency: (emergency, call, step) => reportEmergency(log, emergency, call, step),
      environment: config.INTERLOCK_ENVIRONMENT,
      nowMs: () => clock.nowMs(),
    };
    await bus.serve('decider.evaluate', (request) => evaluate(context, bus, request));
    const offers = new Offers(context, tools.copy, clock);
    await bus.serve('decider.offer', (request) => offers.of(request));
    for (const step of await consume(bus, context, config.INTERLOCK_DECIDER_CONCURRENCY)) stack.use(step);
    const running = stack.move();
    return { [Symbol.asyncDispose]: () => running.disposeAsync() };
  },
});

async function consume(
  bus: Steps,
  context: DecisionContext,
  concurrency: number,
): Promise<AsyncDisposable[]> {
  return [
    await bus.step('decider', {
      concurrency,
      verb: (delivery) => decideRequested(context, delivery),
      poison: (delivery, fault) => poisonRequested(context, delivery, fault),
    }),
    await bus.step('decider-resolved', {
      concurrency,
      verb: (delivery) => decideResolved(context, bus, delivery),
      poison: (delivery, fault) => poisonResolved(context, delivery, fault),
    }),
  ];
}

/** Waits until the entries were read and their bundles loaded, so that the first call finds a policy. */
async function firstPolicies(
  policies: Policies,
  newest: EntryWatch<'policies'>,
  clock: Clock,
): Promise<void> {
  const endMs = clock.monotonicMs() + FIRST_POLICY_MS;
  while (!newest.current && clock.monotonicMs() < endMs) await clock.sleep(FIRST_POLL_MS);
  const waiting = new AbortController();
  const waited = clock.sleep(endMs - clock.monotonicMs(), waiting.signal).catch(() => undefined);
  await Promise.race([policies.loaded, waited]);
  waiting.abort();
}

function showPolicies(health: Health, policies: Policies): void {
  health.add('policy', () => policies.current !== undefined || 'no valid policy is loaded');
  health.add('policyEntry', () => policies.doubt ?? true);
  health.addFact('policyDigest', () => policies.current?.digest);
  health.addFact('policyVersion', () => policies.current?.version);
  health.addFact('policyCandidate', () => policies.candidate?.version);
  for (const as of ['current', 'candidate'] as const) {
    const name = as === 'current' ? 'policyRejected' : 'policyCandidateRejected';
    const rejected = () => policies.rejected.find((one) => one.as === as);
    health.addFact(`${name}Version`, () => rejected()?.version);
    health.addFact(`${name}Because`, () => rejected()?.detail);
  }
}

if (import.meta.main) await run([deciderService]);
