import {
  type AgentEntry,
  type Call,
  callDigestOf,
  callRequestSchema,
  canonicalJson,
  Fault,
  limits,
  pointerOf,
  sha256,
} from '@interlock/contracts';
import { z } from 'zod';
import type { JsonObject } from './close-schema.ts';
import { parseStrictJson } from './strict-json.ts';

/** The largest request: the largest arguments, and room for tool, purpose and white space. */
export const BODY_BYTES = limits.argumentsBytes + 16 * 1_024;

/** The parser returns nothing but JSON: walking and copying arguments of half a megabyte again would prove nothing. */
const requestSchema = z.strictObject({
  ...callRequestSchema.shape,
  arguments: z.custom<JsonObject>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'must be an object',
  ),
});

/** A well-formed request, before its tool is looked up. */
export interface ParsedCall {
  tool: string;
  argumentsValue: JsonObject;
  /** Canonical JSON (RFC 8785). */
  argumentsText: string;
  argumentsDigest: string;
  purpose: string | undefined;
}

/**
 * Reads a request's body. Throws the faults of `parseStrictJson`, `body_invalid` with a pointer, or
 * `arguments_too_large`.
 */
export function readRequest(body: Buffer): ParsedCall {
  const {
    tool,
    arguments: argumentsValue,
    purpose,
  } = readShape(requestSchema, parseStrictJson(body, limits));
  const argumentsText = canonicalJson(argumentsValue);
  if (Buffer.byteLength(argumentsText) > limits.argumentsBytes)
    throw new Fault('arguments_too_large', { pointer: '/arguments' });
  return { tool, argumentsValue, argumentsText, argumentsDigest: sha256(argumentsText), purpose };
}

/** Reads a part of a body; `at` is its path. Throws `body_invalid` with the pointer of the first error. */
export function readShape<S extends z.ZodType>(
  schema: S,
  value: unknown,
  at: readonly PropertyKey[] = [],
): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  if (issue === undefined) throw new Fault('body_invalid');
  const extra = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const words = issue.code === 'unrecognized_keys' ? 'unknown member' : issue.message;
  throw new Fault('body_invalid', {
    detail: `The body does not have the expected shape: ${words}.`,
    pointer: pointerOf([...at, ...issue.path, ...extra]).slice(0, 1_024),
  });
}

/** Where and when a call is made. */
export interface CallMaking {
  call: string;
  toolVersion: string;
  replica: string;
  keepResult: boolean;
  origin: Call['origin'];
  nowMs: number;
}

/** Returns the call of a request. Who calls is taken from the agent's entry and from nothing else. */
export function callOf(agent: AgentEntry, parsed: ParsedCall, making: CallMaking): Call {
  const { tenant, user, session } = agent;
  const { tool, argumentsText, argumentsDigest, purpose } = parsed;
  const { call, toolVersion, replica, keepResult, origin, nowMs } = making;
  const bound = { tenant, agent: agent.agent, user, session, tool, toolVersion, argumentsDigest };
  return {
    ...bound,
    call,
    arguments: argumentsText,
    callDigest: callDigestOf(bound),
    ...(purpose === undefined ? {} : { purpose }),
    ...(origin === undefined ? {} : { origin }),
    replyTo: replica,
    keepResult,
    requestedAt: nowMs,
    notAfter: nowMs + limits.callMs,
  };
}
