/**
 * A claimed call, to its end: credential → effect → body to its door → kept, where asked → settled.
 * Nothing is tried twice here; a Fault says what happened and the gate says whether anything may have been sent.
 */
import { Fault } from '@interlock/contracts';
import { type Effect, effectOfError } from './effect.ts';
import { type Errand, type HttpParts, performHttp } from './http.ts';
import { type Lease, leaseCredential } from './lease.ts';
import { performMcp } from './mcp-perform.ts';
import { settleTask } from './settle.ts';
import type { Parts, Task } from './task.ts';
import { inSpan } from './trace.ts';

/** Carries out a claimed call and settles it. Never rejects. */
export async function performTask(task: Task, parts: Parts): Promise<void> {
  const { call } = task.claim;
  try {
    const attributes = {
      'interlock.call': call,
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': task.tool.name,
    };
    await inSpan(`execute_tool ${task.tool.name}`, { kind: 'internal', attributes }, async (span) => {
      const effect = await attempt(task, parts);
      span.setAttribute('interlock.outcome', effect.outcome);
      await settleTask(task, effect, parts);
    });
  } catch (cause) {
    // The claim stays unsettled: whoever hears of it after its limit settles it.
    parts.log.error({ err: cause, call }, 'a call could not be settled');
  }
}

async function attempt(task: Task, parts: Parts): Promise<Effect> {
  try {
    return await effectOf(task, parts);
  } catch (cause) {
    const { call } = task.claim;
    if (cause instanceof Fault) parts.log.info({ err: cause, call }, 'a call ended without an answer');
    else parts.log.error({ err: cause, call }, 'a call met a mistake of the executor');
    return effectOfError(cause, task.gate);
  }
}

async function effectOf(task: Task, parts: Parts): Promise<Effect> {
  const { allowed, gate, plan, tool } = task;
  const { tenant, agent, user, session, call } = allowed.statement;
  const identity = { tenant, agent, user, session, call };
  const errand: Errand = {
    identity,
    tool: tool.name,
    gate,
    lease: await leaseFor(task, parts),
    signal: parts.signal,
  };
  switch (plan.kind) {
    case 'http':
      return await performHttp(plan.target, plan.request, errand, httpPartsOf(parts));
    case 'mcp': {
      const { target } = plan;
      return await performMcp(
        { target, credential: tool.credential?.name, args: allowed.arguments },
        errand,
        parts.pool,
      );
    }
    default:
      return plan satisfies never;
  }
}

async function leaseFor(
  { allowed, gate, leaseKey, signed }: Task,
  { bus, clock, signal }: Parts,
): Promise<Lease | undefined> {
  if (leaseKey === undefined) return undefined;
  return await leaseCredential({ ...allowed, signed }, leaseKey, {
    bus,
    leftMs: () => gate.leftMs(),
    sleep: (ms) => clock.sleep(ms, signal),
  });
}

function httpPartsOf({ egress, keys, clock }: Parts): HttpParts {
  return { egress, signingKey: keys.sign, nowMs: () => clock.nowMs() };
}
