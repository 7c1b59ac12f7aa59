/**
 * From a request to an answer.
 *
 * 1. The waiter is opened before anything is read or published.
 * 2. Once a call may be on the line, 503 is said only after our own refusal was stored; a doubt is 504.
 * 3. A request under a used Idempotency-Key is answered from what the ledger says of its call.
 */
import type { Bus, BusLog } from '@interlock/bus';
import { type AgentEntry, type Call, Fault, limits, newId } from '@interlock/contracts';
import type { Secret } from '@interlock/keys';
import { type Answer, answerRefusal } from './answer.ts';
import { ATTEMPTS, callIdOf } from './call-id.ts';
import type { Followed, Follower } from './follow.ts';
import { planOf } from './outcome.ts';
import { type CallAsked, callOf } from './request.ts';
import type { KnownTool } from './schema.ts';
import type { Waiter } from './waits.ts';

export interface CallParts {
  bus: Pick<Bus, 'connected' | 'publish' | 'sendCancel'>;
  follower: Follower;
  /** Returns a tool by name; throws `dependency_unavailable` while the copy may be behind. */
  tools: (name: string) => KnownTool | undefined;
  callIdKey: Secret;
  log: BusLog;
  replica: string;
}

export interface Submission {
  agent: AgentEntry;
  asked: CallAsked;
  idempotencyKey: string | undefined;
  /** Where the request came from. */
  origin: Call['origin'];
  /** When the request arrived, on the monotonic clock: the call's limit runs from here. */
  arrivedMs: number;
  /** Aborted when the agent hangs up before it is answered. */
  gone: AbortSignal;
}

/** Makes a call, or follows the one its Idempotency-Key names, and answers when the outcome is stored. */
export async function submit(submission: Submission, parts: CallParts): Promise<Answer> {
  const { agent, asked, idempotencyKey } = submission;
  const { bus, follower } = parts;
  if (!bus.connected) throw new Fault('dependency_unavailable');
  if (idempotencyKey === undefined) {
    using waiter = follower.open(agent, newId('c'), true);
    return await make(submission, waiter, parts);
  }
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const call = callIdOf(
      { tenant: agent.tenant, agent: agent.agent, idempotencyKey, attempt },
      parts.callIdKey,
    );
    using waiter = follower.open(agent, call, true);
    const standing = await follower.standing(waiter.waited);
    const plan = planOf(standing, asked, follower.nowMs());
    if (plan === 'make') return await make(submission, waiter, parts);
    if (plan === 'reused') return answerRefusal(new Fault('idempotency_key_reused'), call);
    if (plan === 'expired') return answerRefusal(new Fault('idempotency_key_expired'), call);
    if (plan === 'follow') return await follower.answer(standing, followed(submission, waiter));
  }
  throw new Fault('idempotency_key_expired', {
    detail: 'Too many tries were made under this Idempotency-Key.',
  });
}

async function make(submission: Submission, waiter: Waiter, parts: CallParts): Promise<Answer> {
  const { agent, asked, idempotencyKey, origin } = submission;
  const { bus, follower, log, replica } = parts;
  const tool = parts.tools(asked.tool);
  const fault = tool === undefined ? new Fault('tool_unknown', { pointer: '/tool' }) : faultIn(tool, asked);
  if (tool === undefined || fault !== undefined)
    return await refuse(fault ?? new Fault('tool_unknown'), followed(submission, waiter), follower);
  const call = callOf(agent, asked, {
    call: waiter.waited.call,
    toolVersion: tool.version,
    replica,
    keepResult: idempotencyKey !== undefined,
    origin,
    nowMs: follower.nowMs(),
  });
  try {
    // Not stored means that the same call is on the line already: its outcome is this one's too.
    await bus.publish('requested', { tenant: call.tenant, call: call.call }, { call }, 0);
  } catch (error) {
    // It may be on the line all the same, so it is followed to its deadline like one that is.
    log.warn({ err: error, call: call.call }, 'it is not known whether a call reached the line');
  }
  const { gone } = submission;
  // Nobody can ask again for a call without a key, so what has not started need not start.
  if (idempotencyKey === undefined)
    gone.addEventListener('abort', () => bus.sendCancel(replica, call.call), { once: true });
  return await follower.toTheEnd(followed(submission, waiter, call));
}

function faultIn(tool: KnownTool, asked: CallAsked): Fault | undefined {
  try {
    tool.check(asked.argumentsValue);
    return undefined;
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

/** Writes a refusal of the door. Throws `dependency_unavailable` when it cannot be written: nothing was published. */
async function refuse(fault: Fault, asked: Followed, follower: Follower): Promise<Answer> {
  const refused = follower.refusalOf(asked, fault);
  if ((await follower.refuse(refused)).stored) return answerRefusal(refused, refused.call);
  return await follower.answer(await follower.standing(asked.who), asked);
}

function followed({ agent, asked, arrivedMs }: Submission, waiter: Waiter, call?: Call): Followed {
  const { tenant, user, session } = agent;
  const { tool, argumentsDigest, argumentsText } = asked;
  const who = { tenant, agent: agent.agent, call: waiter.waited.call, tool, argumentsDigest };
  const told = { ...who, user, session, arguments: argumentsText };
  return { who, evidence: { call: call ?? told }, waiter, deadlineMs: arrivedMs + limits.callMs };
}
