import {
  type AgentEntry,
  type Call,
  type CallAddress,
  Fault,
  type Json,
  type Session,
  type Tool,
} from '@interlock/contracts';
import { assertDigests, assertInTime, assertVersion, readArguments } from '@interlock/gate';

/** Clocks of two machines of one cluster differ by less. */
const SKEW_MS = 60_000;

/**
 * Checks that a call is consistent and may still start, and returns its parsed arguments.
 * Throws `statement_invalid` when it is not consistent, `deadline_passed` when it is late.
 */
export function checkCall(
  call: Call,
  {
    address,
    nowMs,
    spanMs,
  }: { address: Pick<CallAddress, 'tenant' | 'call'>; nowMs: number; spanMs: number },
): Readonly<Record<string, Json>> {
  if (call.tenant !== address.tenant || call.call !== address.call)
    throw inconsistent('The call is another one than its address names.');
  assertDigests(call);
  assertInTime(call, nowMs);
  if (call.notAfter - nowMs > spanMs + SKEW_MS)
    throw inconsistent('The deadline of the call is too far in the future.');
  return readArguments(call.arguments);
}

/**
 * Checks that the call names agent, user and session as they are registered.
 * Throws `key_invalid` or `statement_invalid`.
 */
export function checkAgent(call: Call, agent: AgentEntry | undefined): AgentEntry {
  if (agent === undefined) throw new Fault('key_invalid', { detail: 'The agent was removed.' });
  if (
    agent.tenant !== call.tenant ||
    agent.agent !== call.agent ||
    agent.user !== call.user ||
    agent.session !== call.session
  )
    throw inconsistent('The call names another tenant, user or session than its agent is registered with.');
  return agent;
}

/** Checks that the tool is the one the call was validated against. Throws `tool_unknown` or `tool_changed`. */
export function checkTool(call: Call, tool: Tool | undefined): Tool {
  if (tool === undefined) throw new Fault('tool_unknown');
  return assertVersion(tool, call);
}

/** Checks that the session is the caller's own. Throws `statement_invalid`. */
export function checkSession(call: Call, session: Session): Session {
  if (session.tenant !== call.tenant || session.session !== call.session || session.user !== call.user)
    throw inconsistent('The session belongs to another user or tenant.');
  return session;
}

function inconsistent(detail: string): Fault {
  return new Fault('statement_invalid', { detail });
}
