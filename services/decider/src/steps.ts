/**
 * The two steps of the decider. Both may run twice for one event: the bus stores one successor of an event, and the
 * second run's publish finds the step taken.
 */
import type { Delivery, Steps } from '@interlock/bus';
import {
  type AgentEntry,
  type Call,
  type EmergencyEntry,
  type EventBody,
  Fault,
  type Json,
  limits,
  type Tool,
} from '@interlock/contracts';
import { type HeldPolicy, localTimes } from '@interlock/policy';
import { checkAgent, checkCall, checkSession, checkTool } from './check.ts';
import {
  type Authority,
  type Decided,
  decide,
  groundsOf,
  type Held,
  type NamedCall,
  type Refusal,
  refusal,
} from './decide.ts';
import type { FactReader } from './facts/read.ts';
import type { Approval, Facts } from './facts.ts';
import type { Policies } from './policies.ts';
import { approvedCall, openHeld, openResolution, type Resolved, readResolution } from './resolution.ts';
import type { Sessions, Use } from './session.ts';
import type { Shadow } from './shadow.ts';

/** What both steps work with. */
export interface Desk {
  authority: Authority;
  policies: Pick<Policies, 'inForce' | 'candidate'>;
  shadow: Pick<Shadow, 'ask'>;
  sessions: Pick<Sessions, 'of' | 'use' | 'deny'>;
  /** Reads what management says; a copy that does not fit the call is read again from the leader. */
  agentOf(call: Call): Promise<AgentEntry | undefined>;
  toolOf(call: Call): Promise<Tool | undefined>;
  /** Reads what the arguments mean; what no parser understands is said to be unreadable. */
  parse: FactReader['read'];
  /** Returns the emergency a person opened for the call's agent and tool, while it holds. */
  emergencyOf(call: Call, nowMs: number): EmergencyEntry | undefined;
  /** Tells loudly of what was decided under an emergency. */
  announce(emergency: EmergencyEntry, call: Call, step: 'decided' | 'held' | 'refused' | 'evaluated'): void;
  /** The deployment's own name for where it runs. */
  environment: string;
  nowMs(): number;
}

/** Decides a requested call. Throws `dependency_unavailable`, to be delivered again. */
export async function decideRequested(
  desk: Desk,
  { event, address }: Delivery<'requested'>,
): Promise<Decided | Held | Refusal> {
  return await refusing(desk, event.call, () =>
    decideCall(desk, { call: event.call, address, spanMs: limits.callMs, shadow: desk.shadow }),
  );
}

/**
 * Decides a held call again when its question is resolved: publishes `decided` itself, because the call's line was
 * left at `held`, and returns only a refusal.
 */
export async function decideResolved(
  desk: Desk,
  bus: Steps,
  delivery: Delivery<'resolved'>,
): Promise<Refusal | undefined> {
  const next = await decideAgain(desk, delivery);
  if (next.step === 'refused') return next;
  const { address } = delivery;
  const published = await bus.publish('decided', address, next.body, next.heldSequence);
  // The line may have lost the held call; where it has gone on instead, this finds the step taken and is harmless.
  if (!published.stored) await bus.publish('decided', address, next.body, 0);
  return undefined;
}

/** A call decided after its approval, and the sequence of `held` that it succeeds. */
export type DecidedAgain = Decided & { heldSequence: number };

/** Decides a resolved call: refused unless a person approved it and policy, knowing that, allows it. */
export async function decideAgain(
  desk: Desk,
  delivery: Delivery<'resolved'>,
): Promise<DecidedAgain | Refusal> {
  const { event, address } = delivery;
  const opened = open(desk, delivery);
  if (opened instanceof Fault) return unknownCall(desk, event, opened);
  const call = approvedCall(opened);
  const reading = readResolution(opened);
  if (!reading.approved) {
    await remember(desk, opened);
    return refusal(opened.held.call, reading.grounds, desk.authority, desk.nowMs());
  }
  const approval: Approval = {
    questionDigest: opened.resolution.questionDigest,
    person: reading.person,
    resolvedAt: opened.resolution.issuedAt,
  };
  // A candidate is asked once about a call: when it is decided first. What it said then stays on record.
  const shadow = { ask: () => opened.held.decision.shadow };
  const next = await refusing(desk, call, () =>
    decideCall(desk, { call, address, spanMs: limits.approvedCallMs, shadow, approval }),
  );
  if (next.step === 'held') throw new Error('an approved call cannot be held');
  return next.step === 'refused' ? next : { ...next, heldSequence: opened.held.heldSequence };
}

/** Returns the refusal of a requested call that could not be handled. */
export function poisonRequested(
  desk: Desk,
  { event }: Delivery<'requested'>,
  fault: Fault,
): EventBody<'refused'> {
  return refusal(event.call, groundsOf(fault), desk.authority, desk.nowMs()).body;
}

/** Returns the refusal of a resolved call that could not be handled. */
export function poisonResolved(
  desk: Desk,
  { event }: Delivery<'resolved'>,
  fault: Fault,
): EventBody<'refused'> {
  return unknownCall(desk, event, fault).body;
}

async function decideCall(
  desk: Desk,
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
  const nowMs = desk.nowMs();
  const parsed = checkCall(call, { address, nowMs, spanMs });
  const held = await desk.policies.inForce();
  const facts = await gather(desk, call, parsed, nowMs, {
    held,
    ...(approval === undefined ? {} : { approval }),
  });
  const policy = {
    digest: held.digest,
    version: held.version,
    evaluate: (input: object) => held.policy.evaluate(input),
    shadow,
  };
  const next = decide(facts, policy, desk.authority, nowMs);
  // What a call uses is remembered before the call goes on: the next one cannot be taken for the first.
  if (next.step === 'decided') await desk.sessions.use(call, useOf(facts), nowMs);
  if (facts.emergency !== undefined) desk.announce(facts.emergency, call, next.step);
  return next;
}

/**
 * Collects everything a decision about a call is made from, from what management says and what is remembered, for
 * the policy that will decide it: it is asked with the wall clocks it wants to know, also when another one comes.
 * Throws what `check.ts` throws, and `dependency_unavailable`.
 */
export async function gather(
  desk: Desk,
  call: Call,
  parsed: Record<string, Json>,
  nowMs: number,
  { held, ...more }: Pick<Facts, 'approval' | 'asker'> & { held: HeldPolicy },
): Promise<Facts> {
  const agent = checkAgent(call, await desk.agentOf(call));
  const tool = checkTool(call, await desk.toolOf(call));
  const session = checkSession(call, await desk.sessions.of(call, nowMs));
  const emergency = desk.emergencyOf(call, nowMs);
  return {
    call,
    arguments: parsed,
    tool,
    agent,
    session,
    parsed: await desk.parse(tool, parsed, session),
    local: localTimes(zonesOf(held, desk.policies.candidate), nowMs),
    environment: desk.environment,
    ...(emergency === undefined ? {} : { emergency }),
    ...more,
  };
}

/** A candidate is asked about the same input, so the zones of both are in it. */
function zonesOf(held: HeldPolicy, candidate: HeldPolicy | undefined): string[] {
  return [...new Set([...held.zones, ...(candidate?.zones ?? [])])];
}

function useOf({ tool, parsed }: Pick<Facts, 'tool' | 'parsed'>): Use {
  const destinations = parsed.destinations.flatMap((one) => (one.readable ? [one.origin] : []));
  return { tool: tool.name, destinations };
}

/** Remembers a person's no before the call is refused for it. A second run remembers the same. */
async function remember(desk: Desk, { held, resolution }: Resolved): Promise<void> {
  if (resolution.resolution !== 'denied') return;
  const { tool, argumentsDigest } = held.call;
  await desk.sessions.deny(held.call, { at: resolution.issuedAt, tool, argumentsDigest }, desk.nowMs());
}

/** Turns every Fault but a dependency's into the call's refusal. */
async function refusing<T>(desk: Desk, call: Call, deciding: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await deciding();
  } catch (error) {
    if (!(error instanceof Fault) || error.code === 'dependency_unavailable') throw error;
    return refusal(call, groundsOf(error), desk.authority, desk.nowMs());
  }
}

function open(desk: Desk, { event, address }: Delivery<'resolved'>) {
  try {
    return openResolution(event, address, desk.authority, desk.nowMs());
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

/** Refuses a resolved call of which perhaps no more than its id is known. */
function unknownCall(desk: Desk, event: EventBody<'resolved'>, fault: Fault): Refusal {
  return refusal(namedCall(desk, event), groundsOf(fault), desk.authority, desk.nowMs());
}

/** A ledger event names an agent and a tool; where the held call does not open, nobody knows them any more. */
const UNKNOWN = 'unknown';

function namedCall({ authority }: Desk, event: EventBody<'resolved'>): NamedCall {
  const { tenant, call } = event;
  try {
    const held = openHeld(event, authority).call;
    if (held.tenant === tenant && held.call === call) return held;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
  }
  return { tenant, call, agent: UNKNOWN, tool: UNKNOWN };
}
