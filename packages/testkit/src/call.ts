/**
 * Builders of a call and of the events about it. What a builder makes holds together: digests are those of the
 * fields. A test that needs a contradiction lays it over the finished thing.
 */
import {
  type Call,
  type Claim,
  callDigestOf,
  canonicalJson,
  type EventBody,
  type Json,
  limits,
  newId,
  type Refused,
  type Sealed,
  type ServiceName,
  type Statement,
  sealContext,
  sha256,
  type Tool,
  toolSchema,
  toolVersionOf,
} from '@interlock/contracts';
import { type Keyring, type SigningKey, seal, signStatement } from '@interlock/keys';
import type { z } from 'zod';

/** Who calls, unless a test says otherwise. */
export const caller = { tenant: 'acme', agent: 'clerk', user: 'ada', session: 'ses_1' } as const;

interface ToolParts {
  target?: object;
  /** One credential or a list, as in a tool file. */
  credential?: z.input<typeof toolSchema>['credential'];
}

/** Makes a tool. A `target` with a kind is taken as it is, and any other is laid over that of an HTTP tool. */
export function makeTool({
  target = {},
  ...more
}: Partial<Omit<Tool, 'target' | 'credential'>> & ToolParts = {}): Tool {
  return toolSchema.parse({
    name: 'create_post',
    description: 'Writes a post.',
    inputSchema: { type: 'object' },
    target: 'kind' in target ? target : { ...httpTarget, ...target },
    ...more,
  });
}

const httpTarget = {
  kind: 'http',
  method: 'POST',
  url: 'https://api.example.com/blogs/{blog}/posts',
  egress: { allow: ['api.example.com'] },
};

/** What a call is made of. Digests follow from it, and `notAfter` from `nowMs`. */
export interface CallParts
  extends Partial<Omit<Call, 'tool' | 'arguments' | 'argumentsDigest' | 'callDigest' | 'requestedAt'>> {
  /** A whole tool, or the name of one that no service looks up. */
  tool?: Tool | string;
  args?: Json;
  nowMs?: number;
}

/** Makes a call as ingress makes it, under a fresh id. */
export function makeCall({
  tool = 'create_post',
  args = { blog: 'b1' },
  nowMs = Date.now(),
  ...more
}: CallParts = {}): Call {
  const text = canonicalJson(args);
  const named =
    typeof tool === 'string'
      ? { tool, toolVersion: sha256(tool) }
      : { tool: tool.name, toolVersion: toolVersionOf(tool) };
  const parts = {
    ...caller,
    call: newId('call'),
    ...named,
    arguments: text,
    argumentsDigest: sha256(text),
    replyTo: 'rep_1',
    keepResult: false,
    requestedAt: nowMs,
    notAfter: nowMs + limits.callMs,
    ...more,
  };
  return { ...parts, callDigest: callDigestOf(parts) };
}

/** Makes the decision that allows a call; `changes` are laid over it. */
export function makeDecision(
  call: Call,
  changes: Partial<Statement<'decision'>> = {},
): Statement<'decision'> {
  const { tenant, agent, user, session, tool, toolVersion, argumentsDigest, callDigest } = call;
  return {
    type: 'decision',
    ...{ tenant, agent, user, session, call: call.call, tool, toolVersion, argumentsDigest, callDigest },
    verdict: 'allow',
    obligations: [],
    policyDigest: sha256('policy'),
    issuedAt: call.requestedAt,
    notAfter: call.notAfter,
    ...changes,
  };
}

/** Makes a decided or held call, its decision signed with a key; `changes` are laid over the decision. */
export function makeDecided(
  call: Call,
  key: SigningKey,
  changes: Partial<Statement<'decision'>> = {},
): EventBody<'decided'> {
  const statement = makeDecision(call, changes);
  const { verdict, obligations, policyDigest, issuedAt } = statement;
  return {
    call,
    decision: {
      ...{ verdict, reasons: [], obligations, policyDigest, notes: [] },
      ...{ policyVersion: 1, facts: {}, decidedAt: issuedAt },
    },
    statement: signStatement(statement, key),
  };
}

/** Makes an executor's claim of a call; `changes` are laid over it. */
export function makeClaim(call: Call, keyring: Keyring, changes: Partial<Claim> = {}): Claim {
  const { tenant, agent, user, session, tool, toolVersion, argumentsDigest, callDigest } = call;
  const { replyTo, keepResult, requestedAt } = call;
  return {
    ...{ tenant, agent, user, session, call: call.call, tool, toolVersion, argumentsDigest, callDigest },
    ...{ at: requestedAt, replyTo, keepResult, executor: 'exe_1', nonce: newId('claim') },
    ...{ claimMs: 30_000, idempotent: false, evidence: sealedFor('auditor', call.call, keyring) },
    ...changes,
  };
}

/** Makes the refusal of a call by the decider; `changes` are laid over it. */
export function makeRefused(
  { tenant, agent, call, tool }: Pick<Call, 'tenant' | 'agent' | 'call' | 'tool'>,
  keyring: Keyring,
  changes: Partial<Refused> = {},
): Refused {
  return {
    ...{ tenant, agent, call, tool, at: Date.now() },
    ...{ by: 'decider', code: 'policy_denied', detail: 'No.' },
    evidence: sealedFor('auditor', call, keyring),
    ...changes,
  };
}

/** Seals what is known of a call for a service, or what is held of it until a person answered. */
export function sealedFor(
  service: ServiceName,
  call: string,
  keyring: Keyring,
  { purpose = 'evidence', content = {} }: { purpose?: 'evidence' | 'held'; content?: object } = {},
): Sealed {
  const keys = keyring.sealKeysOf(service, Date.now());
  return seal(JSON.stringify(content), keys, sealContext(purpose, call));
}
