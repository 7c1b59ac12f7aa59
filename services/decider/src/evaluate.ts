/**
 * Questions of other enforcement points (AuthZEN 1.0, through ingress): decided as a call is, and never executed.
 *
 * E1. An answer is stored on the ledger before it is given, as `evaluated`, with what it was made from
 *     (docs/decisions/019); of large arguments with their digest.
 * E2. A question changes no session: it uses no tool and no destination.
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
import { boundedEvidence } from '@interlock/gate';
import { seal } from '@interlock/keys';
import { checkCall } from './check.ts';
import type { DecisionContext } from './context.ts';
import { recordOf } from './decide.ts';
import { policyInput } from './facts.ts';
import { gather } from './steps.ts';

/**
 * Answers what policy decides about a call. Throws what `check.ts` throws, `policy_missing`, `policy_error`, and
 * `dependency_unavailable` or `ledger_full` when the answer cannot be stored.
 */
export async function evaluate(
  context: DecisionContext,
  bus: Steps,
  request: RpcRequest<'decider.evaluate'>,
): Promise<RpcReply<'decider.evaluate'>> {
  const nowMs = context.nowMs();
  const call = callOf(request, nowMs);
  const parsed = checkCall(call, { address: call, nowMs, spanMs: limits.callMs });
  const loaded = await context.policies.inForce();
  const facts = await gather(context, call, parsed, nowMs, { loaded, asker: request.asker });
  const input = policyInput(facts, nowMs);
  const answer = loaded.policy.evaluate(input);
  const decision = recordOf(answer, input, loaded, nowMs);
  const { tenant, agent, tool } = call;
  const { keyring } = context.authority;
  const body: EventBody<'evaluated'> = {
    ...{ tenant, agent, call: call.call, tool, at: nowMs, asker: request.asker, verdict: answer.verdict },
    evidence: seal(
      JSON.stringify(boundedEvidence({ call, decision })),
      keyring.sealKeysOf('auditor', nowMs),
      sealContext('evidence', call.call),
    ),
  };
  const published = await bus.publish('evaluated', call, body, 0); // E1
  if (!published.stored)
    throw new Fault('statement_invalid', {
      detail: 'Another question was asked under this id: ask again under a new one.',
    });
  if (facts.emergency !== undefined) context.reportEmergency(facts.emergency, call, 'evaluated');
  const { verdict, reasons, obligations } = answer;
  return { verdict, reasons, obligations, policyDigest: loaded.digest };
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
    // There is no result, so nobody waits for one.
    replyTo: 'nobody',
    keepResult: false,
    requestedAt: nowMs,
    notAfter: nowMs + limits.callMs,
  };
}
