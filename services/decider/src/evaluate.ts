/**
 * Questions of other enforcement points (AuthZEN 1.0, through ingress): decided as a call is, and carried out nowhere.
 *
 * 1. What is answered is on the ledger first, as `evaluated`, with everything it was made from
 *    (docs/decisions/019).
 * 2. Nothing is remembered of a question: it uses no tool and goes nowhere.
 */
import type { Steps } from '@interlock/bus';
import {
  type Call,
  callDigestOf,
  type EventBody,
  Fault,
  limits,
  type RpcReply,
  type RpcRequest,
  sealContext,
  sha256,
} from '@interlock/contracts';
import { seal } from '@interlock/keys';
import { checkCall } from './check.ts';
import { recordOf } from './decide.ts';
import { policyInput } from './facts.ts';
import { type Desk, gather } from './steps.ts';

/**
 * Answers what policy says of a call. Throws the faults of a call that does not add up, `policy_missing`,
 * `policy_error`, and `dependency_unavailable` or `ledger_full` where the answer cannot be written.
 */
export async function evaluate(
  desk: Desk,
  bus: Steps,
  request: RpcRequest<'decider.evaluate'>,
): Promise<RpcReply<'decider.evaluate'>> {
  const nowMs = desk.nowMs();
  const call = callOf(request, nowMs);
  const parsed = checkCall(call, { address: call, nowMs, spanMs: limits.callMs });
  const held = await desk.policies.inForce();
  const facts = await gather(desk, call, parsed, nowMs, { held, asker: request.asker });
  const input = policyInput(facts, nowMs);
  const answer = held.policy.evaluate(input);
  const decision = recordOf(answer, input, held, nowMs);
  const { tenant, agent, tool } = call;
  const { keyring } = desk.authority;
  const body: EventBody<'evaluated'> = {
    ...{ tenant, agent, call: call.call, tool, at: nowMs, asker: request.asker, verdict: answer.verdict },
    evidence: seal(
      JSON.stringify({ call, decision }),
      keyring.sealKeysOf('auditor', nowMs),
      sealContext('evidence', call.call),
    ),
  };
  const published = await bus.publish('evaluated', call, body, 0);
  if (!published.stored)
    throw new Fault('statement_invalid', { detail: 'The question bears the id of another one.' });
  if (facts.emergency !== undefined) desk.announce(facts.emergency, call, 'evaluated');
  const { verdict, reasons, obligations } = answer;
  return { verdict, reasons, obligations, policyDigest: held.digest };
}

function callOf(request: RpcRequest<'decider.evaluate'>, nowMs: number): Call {
  const { tenant, agent, user, session, call, tool, toolVersion, purpose, origin } = request;
  const argumentsDigest = sha256(request.arguments);
  const bound = { tenant, agent, user, session, tool, toolVersion, argumentsDigest };
  return {
    ...bound,
    call,
    arguments: request.arguments,
    callDigest: callDigestOf(bound),
    ...(purpose === undefined ? {} : { purpose }),
    ...(origin === undefined ? {} : { origin }),
    // Nobody waits for a result.
    replyTo: 'nobody',
    keepResult: false,
    requestedAt: nowMs,
    notAfter: nowMs + limits.callMs,
  };
}
