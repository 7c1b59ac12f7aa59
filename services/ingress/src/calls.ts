/**
 * A call from its request to its answer: made, published, followed, answered.
 *
 * C1. The waiter is opened before anything is read or published.
 * C2. A call whose publication is in doubt is followed like one that was published (F1, F3).
 * C3. A request under a used Idempotency-Key is answered from what the ledger has of its call.
 * C4. A call whose outcome could not be told is remembered until its outcome is stored.
 */
import type { Bus } from '@interlock/bus';
import { type AgentEntry, type Call, Fault, limits } from '@interlock/contracts';
import type { Secret } from '@interlock/keys';
import type { Answer } from './answer.ts';
import { ATTEMPTS, callIdOf, newCallId } from './call-id.ts';
import { type CallState, planOf, readCallState } from './call-state.ts';
import type { Doubts } from './doubts.ts';
import { answerEnding, type Ending, type EndingParts, faultEnding } from './ending.ts';
import { type FollowedCall, type FollowParts, follow } from './follow.ts';
import { refuseCall } from './refuse.ts';
import { callOf, type ParsedCall } from './request.ts';
import type { KnownTool } from './schema.ts';
import type { Volumes } from './volume.ts';
import type { Waiter, Waits } from './waits.ts';

export type CallParts = FollowParts &
  EndingParts & {
    bus: Pick<Bus, 'ready' | 'publish' | 'sendCancel'>;
    waits: Pick<Waits, 'open'>;
    doubts: Pick<Doubts, 'add'>;
    volumes: Pick<Volumes, 'spend'>;
    /** Returns a tool by name; throws `dependency_unavailable` while the copy may be behind. */
    tools: (name: string) => KnownTool | undefined;
    callIdKey: Secret;
    replica: string;
  };

export interface Submission {
  agent: AgentEntry;
  parsed: ParsedCall;
  idempotencyKey: string | undefined;
  /** Where the request came from. */
  origin: Call['origin'];
  /** When the request arrived, on the monotonic clock: the call's limit runs from here. */
  arrivedMs: number;
  /** Aborted when the agent closes the connection before it is answered. */
  closed: AbortSignal;
}

/** Makes a call, or follows the one its Idempotency-Key names, and answers when the outcome is stored. */
export async function submit(submission: Submission, parts: CallParts): Promise<Answer> {
  const { agent: entry, parsed, idempotencyKey } = submission;
  const { tenant, agent } = entry;
  // Why it is not ready is for the operator: /readyz says it.
  if (parts.bus.ready !== true)
    throw new Fault('dependency_unavailable', {
      detail: 'Interlock cannot reach or write its store at the moment. Nothing was done.',
    });
  if (idempotencyKey === undefined) {
    // C1
    using waiter = parts.waits.open({
      tenant,
      agent,
      call: newCallId(entry, parts.clock.nowMs(), parts.callIdKey),
      making: true,
    });
    return await answerEnding(await make(submission, waiter, parts), waiter, parts);
  }
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const call = callIdOf({ tenant, agent, idempotencyKey, attempt }, parts.callIdKey);
    // C1
    using waiter = parts.waits.open({ tenant, agent, call, making: true });
    // C3
    const state = await readCallState(waiter.waited, parts);
    const plan = planOf(state, parsed, parts.clock.nowMs());
    if (plan === 'next') continue;
    const ending = await endingOf({ plan, state }, submission, waiter, parts);
    return await answerEnding(ending, waiter, parts);
  }
  throw new Fault('idempotency_key_expired', {
    detail: `This Idempotency-Key was tried ${ATTEMPTS} times.`,
  });
}

async function endingOf(
  { plan, state }: { plan: Exclude<ReturnType<typeof planOf>, 'next'>; state: CallState },
  submission: Submission,
  waiter: Waiter,
  parts: CallParts,
): Promise<Ending> {
  switch (plan) {
    case 'make':
      return await make(submission, waiter, parts);
    case 'follow':
      return await follow(state, followedCall(submission, waiter), parts);
    case 'reused':
      return faultEnding('idempotency_key_reused');
    case 'expired':
      return faultEnding('idempotency_key_expired');
    default:
      return plan satisfies never;
  }
}

async function make(submission: Submission, waiter: Waiter, parts: CallParts): Promise<Ending> {
  const { agent, parsed, idempotencyKey, origin } = submission;
  // Whatever becomes of the call, its arguments are stored from here on.
  parts.volumes.spend(agent, Buffer.byteLength(parsed.argumentsText), parts.clock.monotonicMs());
  const followed = followedCall(submission, waiter);
  const checked = check(parsed, parts.tools);
  if (checked instanceof Fault) return await refuse(checked, followed, parts);
  const call = callOf(agent, parsed, {
    call: waiter.waited.call,
    toolVersion: checked.version,
    replica: parts.replica,
    keepResult: idempotencyKey !== undefined,
    origin,
    nowMs: parts.clock.nowMs(),
  });
  await publish(call, parts);
  if (idempotencyKey === undefined) cancelWhenClosed(submission.closed, call, parts);
  const evident = { ...followed, evidence: { call } };
  const ending = await follow({ kind: 'published' }, evident, parts);
  // C4
  if (ending.kind === 'fault' && ending.fault.code === 'outcome_unknown') parts.doubts.add(evident);
  return ending;
}

/** Returns the tool of a request, or the fault that the request is refused with. */
function check({ tool: name, argumentsValue }: ParsedCall, tools: CallParts['tools']): KnownTool | Fault {
  const tool = tools(name);
  if (tool === undefined) return new Fault('tool_unknown', { pointer: '/tool' });
  try {
    tool.check(argumentsValue);
    return tool;
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

/** Writes a refusal of what was not published. Throws `dependency_unavailable` where it cannot be written. */
async function refuse(fault: Fault, followed: FollowedCall, parts: CallParts): Promise<Ending> {
  const { who, evidence } = followed;
  const { refused, stored } = await refuseCall({ call: who, fault, evidence }, parts);
  if (stored) return { kind: 'refused', refused };
  // An equal request under the same Idempotency-Key was faster.
  return await follow(await readCallState(who, parts), followed, parts);
}

async function publish(call: Call, { bus, log }: CallParts): Promise<void> {
  try {
    // Not stored means that the same call is published already: its outcome is this one's too.
    await bus.publish('requested', { tenant: call.tenant, call: call.call }, { call }, 0);
  } catch (err) {
    // C2
    log.warn({ err, call: call.call }, 'not known whether a call was published: following it');
  }
}

/** Nobody can ask again for a call without a key, so what has not started need not start. */
function cancelWhenClosed(closed: AbortSignal, { call }: Call, { bus, replica }: CallParts): void {
  closed.addEventListener('abort', () => bus.sendCancel(replica, call), { once: true });
}

function followedCall({ agent, parsed, arrivedMs }: Submission, waiter: Waiter): FollowedCall {
  const { tenant, user, session } = agent;
  const { tool, argumentsDigest, argumentsText } = parsed;
  const who = { tenant, agent: agent.agent, call: waiter.waited.call, tool, argumentsDigest };
  const evidence = { call: { ...who, user, session, arguments: argumentsText } };
  return { who, evidence, waiter, deadlineMs: arrivedMs + limits.callMs };
}
