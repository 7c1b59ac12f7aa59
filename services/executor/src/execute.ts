/**
 * The executor's verb: an admitted call is refused, or claimed and carried out. It returns as soon as the claim is
 * stored, so that a slow upstream holds no delivery.
 *
 * E1. The limit of a claim runs on the monotonic clock from before the claim is published.
 * E2. Whoever stored a claim carries it out, once. A second delivery of the call finds it claimed and stops.
 */
import type { Delivery, Next } from '@interlock/bus';
import { type ClaimStep, type Evidence, Fault, type Tool } from '@interlock/contracts';
import { assertInTime } from '@interlock/gate';
import { type AllowedCall, checkCall } from './check.ts';
import { type ClaimFacts, claimOf, refusalOf } from './claim.ts';
import { createLeaseKey } from './lease.ts';
import { performTask } from './perform.ts';
import { createSendGuard } from './send-guard.ts';
import { type Invocation, invocationOf, type Parts } from './task.ts';

/** Claims an admitted call and starts it, or returns its refusal. Throws `dependency_unavailable` for another delivery. */
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
    // A call that meets a passing fault is delivered again until its last instant.
    if (!(cause instanceof Fault) || cause.code === 'dependency_unavailable') throw cause;
    return { step: 'refused', body: refusalOf(delivery, cause, parts.keyring, parts.clock.nowMs()) };
  }
}

/** A call that may be claimed. */
export interface ReadyCall {
  step: ClaimStep;
  /** The sequence of the call's last event on the ledger that the claim expects; 0 for none. */
  expected: number;
  allowed: AllowedCall;
  signed: string;
  tool: Tool;
  invocation: Invocation;
  route: ClaimFacts['route'];
  evidence: Evidence;
}

/** Builds the whole request, so that what cannot be sent is refused before it is claimed: docs/decisions/025. */
async function prepare({ event, address }: Delivery<'admitted'>, parts: Parts): Promise<ReadyCall> {
  const { keyring, clock, room, entries } = parts;
  const allowed = checkCall(event, keyring, clock.nowMs());
  if (address.call !== allowed.statement.call || address.tenant !== allowed.statement.tenant)
    throw new Fault('statement_invalid', { detail: 'The call stands under the address of another call.' });
  assertInTime(allowed.statement, clock.nowMs());
  throwIf(room.blockedBy());
  const tool = await entries.decided(allowed.statement);
  throwIf(entries.blockedBy(allowed.statement, tool));
  const { replyTo, keepResult } = event.call;
  return {
    ...{ step: 'started', expected: 0, allowed, signed: event.statement, tool },
    invocation: invocationOf(tool, allowed),
    route: { replyTo, keepResult },
    evidence: event,
  };
}

/**
 * Claims a call and carries it out in the background. Returns whether the claim is ours.
 * Throws `deadline_passed` or `killed` when the call became so while it waited for others to end, and
 * `dependency_unavailable` when it is not known whether the claim was stored: the call is not carried out then.
 */
export async function start(ready: ReadyCall, parts: Parts, signal: AbortSignal): Promise<boolean> {
  const { allowed, tool } = ready;
  await parts.concurrency.acquire(signal);
  const { tenant, call } = allowed.statement;
  if (!parts.orphans.begin({ tenant, call })) {
    parts.concurrency.release();
    return false;
  }
  let carriedOut = false;
  try {
    if (ready.step === 'started') assertInTime(allowed.statement, parts.clock.nowMs());
    if (parts.cancelled.has(call)) throw new Fault('cancelled');
    throwIf(parts.entries.blockedBy(allowed.statement, tool));
    // E1
    const guard = createSendGuard(parts.clock.monotonicMs() + tool.claimMs, {
      monotonicMs: () => parts.clock.monotonicMs(),
      blockedBy: () => parts.entries.blockedBy(allowed.statement, tool),
    });
    const leaseKey = tool.credential.length === 0 ? undefined : createLeaseKey();
    const facts = { ...ready, executor: parts.executor, leaseKey: leaseKey?.publicKey };
    const claim = claimOf(allowed, facts, parts.keyring, parts.clock.nowMs());
    const published = await parts.bus.claim(ready.step, claim, ready.expected);
    // E2
    if (!published.stored) return false;
    carriedOut = true;
    carryOut({ ...ready, claim, sequence: published.sequence, leaseKey, guard }, parts);
    return true;
  } finally {
    if (!carriedOut) release({ tenant, call }, parts);
  }
}

function carryOut(task: Parameters<typeof performTask>[0], parts: Parts): void {
  // `performTask` never rejects. Draining waits for it by `Semaphore.idle`.
  performTask(task, parts).finally(() => release(task.claim, parts));
}

function release(call: { tenant: string; call: string }, { orphans, concurrency }: Parts): void {
  orphans.end(call);
  concurrency.release();
}

function throwIf(blocked: Fault | undefined): void {
  if (blocked !== undefined) throw blocked;
}
