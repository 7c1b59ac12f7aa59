/**
 * A claimed call, to its end: credential → effect → body to its door → kept, where asked for → settled.
 * Nothing is tried twice here. A Fault says what happened, and the guard whether anything may have been sent.
 */
import { Fault } from '@interlock/contracts';
import { cleanText } from '@interlock/egress';
import type { Secret } from '@interlock/keys';
import { type HttpRequest, placeholdersOf, placeholderValues, secretsOf } from '@interlock/request';
import { type DescribedError, describeError } from '@interlock/shell';
import type { AllowedCall } from './check.ts';
import { type Effect, effectOfError, effectOfSecondAttempt } from './effect.ts';
import { type HttpParts, performHttp, type ToolRequest } from './http.ts';
import { buildHttpRequest } from './http-request.ts';
import { type Lease, leaseCredential } from './lease.ts';
import { performMcp } from './mcp-perform.ts';
import { settleTask } from './settle.ts';
import type { Invocation, Parts, Task } from './task.ts';
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
      const attempted = await attempt(task, parts);
      const effect = task.step === 'restarted' ? effectOfSecondAttempt(attempted) : attempted;
      span.setAttribute('interlock.outcome', effect.outcome);
      await settleTask(task, effect, parts);
    });
  } catch (cause) {
    // The claim stays unsettled: the executor that gets its notice after its limit settles it.
    parts.log.error(
      { err: cause, call },
      'a claimed call could not be settled; it settles as an orphan after its limit',
    );
  }
}

async function attempt(task: Task, parts: Parts): Promise<Effect> {
  let secrets: readonly Secret[] = [];
  try {
    const lease = await leaseFor(task, parts);
    if (lease !== undefined) secrets = secretsOf(lease.credentials);
    return await effectOf(task, lease, parts);
  } catch (cause) {
    const { call } = task.claim;
    const err = describeWithout(cause, secrets);
    if (cause instanceof Fault) parts.log.info({ err, call }, 'a call ended without an answer');
    else parts.log.error({ err, call }, 'carrying out a call failed because of a bug');
    return effectOfError(cause, task.guard);
  }
}

/** What an upstream says gets into the texts of errors: its names, its status line, what the MCP client quotes. */
export function describeWithout(cause: unknown, secrets: readonly Secret[]): DescribedError {
  const clean = (one: DescribedError): DescribedError => ({
    ...one,
    name: cleanText(one.name, secrets),
    message: cleanText(one.message, secrets),
    ...(one.code === undefined ? {} : { code: cleanText(one.code, secrets) }),
    ...(one.stack === undefined ? {} : { stack: one.stack.map((frame) => cleanText(frame, secrets)) }),
    ...(one.causes === undefined ? {} : { causes: one.causes.map(clean) }),
  });
  return clean(describeError(cause));
}

async function effectOf(task: Task, lease: Lease | undefined, parts: Parts): Promise<Effect> {
  const { allowed, guard, invocation, tool } = task;
  const { tenant, agent, user, session, call } = allowed.statement;
  const identity = { tenant, agent, user, session, call };
  const toolRequest: ToolRequest = {
    identity,
    tool: tool.name,
    guard,
    lease,
    signal: parts.signal,
  };
  switch (invocation.kind) {
    case 'http':
      return await performHttp(
        invocation.tool.target,
        requestOf(invocation, lease, task.allowed),
        toolRequest,
        httpPartsOf(parts),
      );
    case 'mcp': {
      const { target } = invocation;
      return await performMcp(
        { target, credentials: tool.credential.map(({ name }) => name), args: allowed.arguments },
        toolRequest,
        parts.pool,
      );
    }
    default:
      return invocation satisfies never;
  }
}

/** Returns the request with what a lease puts into placeholders. */
function requestOf(
  { tool, request }: Extract<Invocation, { kind: 'http' }>,
  lease: Lease | undefined,
  { statement, arguments: args }: AllowedCall,
): HttpRequest {
  if (lease === undefined || placeholdersOf(tool.credential).length === 0) return request;
  return buildHttpRequest(tool, args, statement.call, placeholderValues(lease.credentials));
}

async function leaseFor(
  { allowed, guard, leaseKey, signed }: Task,
  { bus, clock, signal }: Parts,
): Promise<Lease | undefined> {
  if (leaseKey === undefined) return undefined;
  return await leaseCredential({ ...allowed, signed }, leaseKey, {
    bus,
    leftMs: () => guard.leftMs(),
    sleep: (ms) => clock.sleep(ms, signal),
  });
}

function httpPartsOf({ egress, keys, clock }: Parts): HttpParts {
  return { egress, signingKey: keys.sign, nowMs: () => clock.nowMs() };
}
