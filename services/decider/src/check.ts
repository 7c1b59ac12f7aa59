import {
  type AgentEntry,
  type Call,
  type CallAddress,
  callDigestOf,
  Fault,
  type Json,
  type Session,
  sha256,
  type Tool,
  toolVersionOf,
} from '@interlock/contracts';
import { z } from 'zod';

/** Clocks of two machines of one cluster differ by less. */
const SKEW_MS = 60_000;

/** What `JSON.parse` returns is JSON; that it is an object is all there is left to check. */
const argumentsSchema = z.custom<Record<string, Json>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
);

/** A tool's version is the digest of its whole definition, so it is worked out once per definition. */
const versions = new WeakMap<Tool, string>();

/**
 * Checks that a call is what it says it is and may still start, and returns its parsed arguments.
 * Throws `statement_invalid` when it does not add up, `deadline_passed` when it is late.
 */
export function checkCall(
  call: Call,
  {
    address,
    nowMs,
    spanMs,
  }: { address: Pick<CallAddress, 'tenant' | 'call'>; nowMs: number; spanMs: number },
): Record<string, Json> {
  if (call.tenant !== address.tenant || call.call !== address.call)
    throw inconsistent('The call is not the one its address names.');
  if (sha256(call.arguments) !== call.argumentsDigest)
    throw inconsistent('The arguments do not match their digest.');
  if (callDigestOf(call) !== call.callDigest) throw inconsistent('The call does not match its digest.');
  if (call.notAfter <= nowMs) throw new Fault('deadline_passed');
  if (call.notAfter - nowMs > spanMs + SKEW_MS) throw inconsistent('The call would stay open for too long.');
  return parseArguments(call.arguments);
}

/**
 * Checks a call against what management says of its agent and its tool, and against its session.
 * Throws `key_invalid`, `statement_invalid`, `tool_unknown` or `tool_changed`.
 */
export function checkAgent(call: Call, agent: AgentEntry | undefined): AgentEntry {
  if (agent === undefined) throw new Fault('key_invalid', { detail: 'The agent is not known any more.' });
  if (
    agent.tenant !== call.tenant ||
    agent.agent !== call.agent ||
    agent.user !== call.user ||
    agent.session !== call.session
  )
    throw inconsistent('The call does not name its agent, user and session as they are registered.');
  return agent;
}

/** Checks that the tool is the one the call was validated against. Throws `tool_unknown` or `tool_changed`. */
export function checkTool(call: Call, tool: Tool | undefined): Tool {
  if (tool === undefined) throw new Fault('tool_unknown');
  if (versionOf(tool) !== call.toolVersion || tool.name !== call.tool) throw new Fault('tool_changed');
  return tool;
}

/** Returns a tool's version, remembered for as long as this very definition is. */
export function versionOf(tool: Tool): string {
  const version = versions.get(tool) ?? toolVersionOf(tool);
  versions.set(tool, version);
  return version;
}

/** Checks that the session is the caller's own. Throws `statement_invalid`. */
export function checkSession(call: Call, session: Session): Session {
  if (session.tenant !== call.tenant || session.session !== call.session || session.user !== call.user)
    throw inconsistent('The session belongs to somebody else.');
  return session;
}

function parseArguments(text: string): Record<string, Json> {
  try {
    return argumentsSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Fault('statement_invalid', { detail: 'The arguments are not a JSON object.', cause });
  }
}

function inconsistent(detail: string): Fault {
  return new Fault('statement_invalid', { detail });
}
