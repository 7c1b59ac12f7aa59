/**
 * The two steps of the decider: a call that is requested, and a call whose question is resolved.
 *
 * C1. Both may run twice for one event: the bus stores one successor of an event, and rejects what the second run
 *     publishes.
 * C2. What a call uses is stored in its session before the call goes on, and a denial before the call is refused for
 *     it. So no later call is taken for the first.
 * C3. Every fault but an unavailable dependency refuses the call. That one has the event delivered again.
 */
import type { Delivery, Steps } from '@interlock/bus';
import { type Call, type EventBody, Fault, type Json, limits } from '@interlock/contracts';
import { UNKNOWN_NAME } from '@interlock/gate';
import { type LoadedPolicy, localTimes } from '@interlock/policy';
import { checkAgent, checkCall, checkSession, checkTool } from './check.ts';
import type { DecisionContext } from './context.ts';
import {
  type Decided,
  decide,
  detailsOf,
  type Held,
  type NamedCall,
  type Refusal,
  refusal,
} from './decide.ts';
import type { Approval, Facts } from './facts.ts';
import { approvedCall, openHeld, openResolution, type Resolved, readResolution } from './resolution.ts';
import type { Use } from './session.ts';
import type { Shadow } from './shadow.ts';

/** Decides a requested call. Throws `dependency_unavailable` (C3). */
export async function decideRequested(
  context: DecisionContext,
  { event, address }: Delivery<'requested'>,
): Promise<Decided | Held | Refusal> {
  return await refusedOnFault(context, event.call, () =>
    decideCall(context, { call: event.call, address, spanMs: limits.callMs, shadow: context.shadow }),
  );
}

/**
 * Decides a held call again when its question is resolved. Publishes `decided` itself, as the successor of `held`, and
 * returns only a refusal.
 */
export async function decideResolved(
  context: DecisionContext,
  bus: Steps,
  delivery: Delivery<'resolved'>,
): Promise<Refusal | undefined> {
  const next = await decideAgain(context, delivery);
  if (next.step === 'refused') return next;
  const { address } = delivery;
  const published = await bus.publish('decided', address, next.body, next.heldSequence);
  // The line may have lost the held call. Where the call went on instead, this is rejected and changes nothing (C1).
  if (!published.stored) await bus.publish('decided', address, next.body, 0);
  return undefined;
}

/** A call decided after its approval, and the sequence of `held` that it succeeds. */
export type DecidedAgain = Decided & { heldSequence: number };

/** Decides a resolved call: refused unless a person approved it and policy, knowing that, allows it. */
export async function decideAgain(
  context: DecisionContext,
  delivery: Delivery<'resolved'>,
): Promise<DecidedAgain | Refusal> {
  const { event, address } = delivery;
  const opened = openOrFault(context, delivery);
  if (opened instanceof Fault) return refusalOf(context, event, opened);
  const call = approvedCall(opened);
  const reading = readResolution(opened);
  if (!reading.approved) {
    await storeDenial(context, opened);
    return refusal(opened.held.call, reading.details, context.authority, context.nowMs());
  }
  const approval: Approval = {
    questionDigest: opened.resolution.questionDigest,
    person: reading.person,
    resolvedAt: opened.resolution.issuedAt,
  };
  // A candidate is asked once about a call, when it is first decided. Its answer of then stays in the record.
  const shadow = { ask: () => opened.held.decision.shadow };
  const next = await refusedOnFault(context, call, () =>
    decideCall(context, { call, address, spanMs: limits.approvedCallMs, shadow, approval }),
  );
  if (next.step === 'held') throw new TypeError('An approved call was held again.');
  return next.step === 'refused' ? next : { ...next, heldSequence: opened.held.heldSequence };
}

/** Returns the refusal of a requested call that could not be handled. */
export function poisonRequested(
  context: DecisionContext,
  { event }: Delivery<'requested'>,
  fault: Fault,
): EventBody<'refused'> {
  return refusal(event.call, detailsOf(fault), context.authority, context.nowMs()).body;
}

/** Returns the refusal of a resolved call that could not be handled. */
export function poisonResolved(
  context: DecisionContext,
  { event }: Delivery<'resolved'>,
  fault: Fault,
): EventBody<'refused'> {
  return refusalOf(context, event, fault).body;
}

async function decideCall(
  context: DecisionContext,
  {
    call,
    address,
    spanMs,
    shadow,
    approval,
  }: {
    call: Call;
    address: Delivery<'requested'>['address'];
    spanMs: number;
    shadow: Pick<Shadow, 'ask'>;
    approval?: Approval;
  },
): Promise<Decided | Held | Refusal> {
  const nowMs = context.nowMs();
  const parsed = checkCall(call, { address, nowMs, spanMs });
  const loaded = await context.policies.inForce();
  const facts = await gather(context, call, parsed, nowMs, {
    loaded,
    ...(approval === undefined ? {} : { approval }),
  });
  const decider = {
    digest: loaded.digest,
    version: loaded.version,
    evaluate: (input: object) => loaded.policy.evaluate(input),
    explain: (input: object) => loaded.policy.explain(input),
    shadow,
  };
  const next = decide(facts, decider, context.authority, nowMs);
  if (next.step === 'decided') await context.sessions.use(call, useOf(facts), nowMs); // C2
  if (facts.emergency !== undefined) context.reportEmergency(facts.emergency, call, next.step);
  return next;
}

/**
 * Collects what a decision about a call is made from: the entries of management, the session, and the wall clocks that
 * the deciding policy names. The caller passes that policy, since a newer one may come into force meanwhile.
 * Throws what `check.ts` throws, and `dependency_unavailable`.
 */
export async function gather(
  context: DecisionContext,
  call: Call,
  parsed: Record<string, Json>,
  nowMs: number,
  { loaded, ...more }: Pick<Facts, 'approval' | 'asker'> & { loaded: LoadedPolicy },
): Promise<Facts> {
  const agent = checkAgent(call, await context.agentOf(call));
  const tool = checkTool(call, await context.toolOf(call));
  const session = checkSession(call, await context.sessions.of(call, nowMs));
  const emergency = context.emergencyOf(call, nowMs);
  return {
    call,
    arguments: parsed,
    tool,
    agent,
    session,
    parsed: await context.parse(tool, parsed, session),
    local: localTimes(zonesOf(loaded, context.policies.candidate), nowMs),
    environment: context.environment,
    ...(emergency === undefined ? {} : { emergency }),
    ...more,
  };
}

/** A candidate is asked about the same input, so the zones of both are in it. */
function zonesOf(loaded: LoadedPolicy, candidate: LoadedPolicy | undefined): string[] {
  return [...new Set([...loaded.zones, ...(candidate?.zones ?? [])])];
}

function useOf({ tool, parsed }: Pick<Facts, 'tool' | 'parsed'>): Use {
  const destinations = parsed.destinations.flatMap((one) => (one.readable ? [one.origin] : []));
  return { tool: tool.name, destinations };
}

/** C2. A second run stores the same denial, which changes nothing. */
async function storeDenial(context: DecisionContext, { held, resolution }: Resolved): Promise<void> {
  if (resolution.resolution !== 'denied') return;
  const { tool, argumentsDigest } = held.call;
  await context.sessions.deny(held.call, { at: resolution.issuedAt, tool, argumentsDigest }, context.nowMs());
}

/** C3. */
async function refusedOnFault<T>(
  context: DecisionContext,
  call: Call,
  deciding: () => Promise<T>,
): Promise<T | Refusal> {
  try {
    return await deciding();
  } catch (error) {
    if (!(error instanceof Fault) || error.code === 'dependency_unavailable') throw error;
    return refusal(call, detailsOf(error), context.authority, context.nowMs());
  }
}

function openOrFault(context: DecisionContext, { event, address }: Delivery<'resolved'>) {
  try {
    return openResolution(event, address, context.authority, context.nowMs());
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

/** Refuses a resolved call of which perhaps only the id is known. */
function refusalOf(context: DecisionContext, event: EventBody<'resolved'>, fault: Fault): Refusal {
  return refusal(namedCall(context, event), detailsOf(fault), context.authority, context.nowMs());
}

/** A ledger event names an agent and a tool. Where the held call cannot be opened, they are not known. */
function namedCall({ authority }: DecisionContext, event: EventBody<'resolved'>): NamedCall {
  const { tenant, call } = event;
  try {
    const held = openHeld(event, authority).call;
    if (held.tenant === tenant && held.call === call) return held;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
  }
  return { tenant, call, agent: UNKNOWN_NAME, tool: UNKNOWN_NAME };
}
