/**
 * The executor's verb: an admitted call is refused, or claimed and handed on. It returns as soon as the claim
 * stands, so that a slow upstream holds no delivery.
 *
 * 1. The limit of a claim runs on the monotonic clock from before the claim is published.
 * 2. A claim is carried out by whoever stored it, once: a second delivery finds it taken and stops.
 */
import type { Delivery, Next } from '@interlock/bus';
import { type Evidence, Fault, type Tool } from '@interlock/contracts';
import { assertInTime } from '@interlock/gate';
import { type AllowedCall, checkCall } from './check.ts';
import { type ClaimFacts, claimOf, refusalOf } from './claim.ts';
import { openGate } from './gate.ts';
import { createLeaseKey } from './lease.ts';
import { performTask } from './perform.ts';
import { type Parts, type Plan, planOf } from './task.ts';

/** Claims an admitted call and starts it, or says why not. Throws `dependency_unavailable` for another delivery. */
export async function execute(
  delivery: Delivery<'admitted'>,
  parts: Parts,
  signal: AbortSignal,
): Promise<Next<'admitted'> | undefined> {
  try {
    const ready = await prepare(delivery, parts);
    await start(ready, parts, signal);
    return undefined;
  } catch (cause) {
    // What passes by itself goes back to the bus and comes again until the call's last instant.
    if (!(cause instanceof Fault) || cause.code === 'dependency_unavailable') throw cause;
    return { step: 'refused', body: refusalOf(delivery, cause, parts.keyring, parts.clock.nowMs()) };
  }
}

/** A call that may be claimed. */
export interface ReadyCall {
  step: 'started' | 'restarted';
  /** What the claim expects last on the ledger. */
  expected: number;
  allowed: AllowedCall;
  signed: string;
  tool: Tool;
  plan: Plan;
  route: ClaimFacts['route'];
  evidence: Evidence;
}

/** Builds the whole request, so that what cannot be sent is refused before it is claimed: docs/decisions/025. */
async function prepare({ event, address }: Delivery<'admitted'>, parts: Parts): Promise<ReadyCall> {
  const { keyring, clock, room, entries } = parts;
  const allowed = checkCall(event, keyring, clock.nowMs());
  if (address.call !== allowed.statement.call || address.tenant !== allowed.statement.tenant)
    throw new Fault('statement_invalid', { detail: 'The decision is about another call.' });
  assertInTime(allowed.statement, clock.nowMs());
  throwIf(room.blockedBy());
  const tool = await entries.decided(allowed.statement);
  throwIf(entries.blockedBy(allowed.statement, tool));
  const { replyTo, keepResult } = event.call;
  return {
    ...{ step: 'started', expected: 0, allowed, signed: event.statement, tool },
    plan: planOf(tool, allowed),
    route: { replyTo, keepResult },
    evidence: event,
  };
}

/**
 * Claims a call and carries it out in the background. Returns whether the claim is ours.
 * Throws `deadline_passed` or `killed` when that came about while it waited for a slot, and
 * `dependency_unavailable` when it is not known whether the claim was stored: it is not carried out then.
 */
export async function start(ready: ReadyCall, parts: Parts, signal: AbortSignal): Promise<boolean> {
  const { allowed, tool } = ready;
  await parts.slots.take(signal);
  const { tenant, call } = allowed.statement;
  if (!parts.orphans.begin({ tenant, call })) {
    parts.slots.give();
    return false;
  }
  let handedOn = false;
  try {
    if (ready.step === 'started') assertInTime(allowed.statement, parts.clock.nowMs());
    if (parts.cancelled.has(call)) throw new Fault('cancelled');
    throwIf(parts.entries.blockedBy(allowed.statement, tool));
    const gate = openGate(parts.clock.monotonicMs() + tool.claimMs, {
      monotonicMs: () => parts.clock.monotonicMs(),
      blockedBy: () => parts.entries.blockedBy(allowed.statement, tool),
    });
    const leaseKey = tool.credential === undefined ? undefined : createLeaseKey();
    const facts = { ...ready, executor: parts.executor, leaseKey: leaseKey?.publicKey };
    const claim = claimOf(allowed, facts, parts.keyring, parts.clock.nowMs());
    const published = await parts.bus.claim(ready.step, claim, ready.expected);
    if (!published.stored) return false;
    handedOn = true;
    carryOut({ ...ready, claim, sequence: published.sequence, leaseKey, gate }, parts);
    return true;
  } finally {
    if (!handedOn) release({ tenant, call }, parts);
  }
}

function carryOut(task: Parameters<typeof performTask>[0], parts: Parts): void {
  // `performTask` never rejects; `Slots.idle` is how draining waits for it.
  performTask(task, parts).finally(() => release(task.claim, parts));
}

function release(call: { tenant: string; call: string }, { orphans, slots }: Parts): void {
  orphans.end(call);
  slots.give();
}

function throwIf(blocked: Fault | undefined): void {
  if (blocked !== undefined) throw blocked;
}
