import { z } from 'zod';
import { faultCodes } from './faults.ts';
import { shownHeadersSchema } from './headers.ts';
import { digestSchema, idSchema, instantMsSchema } from './ids.ts';
import { digestOf, parsedJsonSchema } from './json.ts';
import { type Step, services } from './lifecycle.ts';
import { policyAnswerSchema, reasonSchema } from './policy.ts';
import { sealedSchema } from './sealed.ts';
import { identitySchema, signedSchema } from './statements.ts';

/** Limits of what travels: both sides of every boundary check them. */
export const limits = {
  /** Canonical JSON of a call's arguments, UTF-8 bytes. */
  argumentsBytes: 512 * 1_024,
  /** One frame of a result on the channel, bytes. */
  frameBytes: 256 * 1_024,
  /** A whole result body, bytes. */
  resultBytes: 8 * 1_024 * 1_024,
  /** Evaluations in one request of another enforcement point: a page of a list that it filters. */
  evaluations: 50,
  /** Nesting of a request's body. */
  depth: 32,
  /** One string in a request's body, UTF-16 units. */
  stringLength: 256 * 1_024,
  /** From the request to the last instant at which the call may start, unless a person is asked. */
  callMs: 30_000,
  /** From a person's approval to the last instant at which the call may start. */
  approvedCallMs: 60_000,
  /** From `started` to `settled`, at most. */
  claimMs: 120_000,
  /** An Idempotency-Key is valid this long after its call ended. */
  idempotencyWindowMs: 24 * 3_600_000,
  /** The ledger and the approvals keep an event at least this long: whatever is under way on the line is over by then. */
  eventsKeptMs: 1_800_000,
} as const;

const codeSchema = z.enum(faultCodes);

/** A call. `arguments` is canonical JSON (RFC 8785): its digest is the digest of exactly these characters. */
export const callSchema = z.strictObject({
  ...identitySchema.shape,
  tool: idSchema,
  toolVersion: digestSchema,
  arguments: z.string().max(limits.argumentsBytes),
  argumentsDigest: digestSchema,
  callDigest: digestSchema,
  purpose: z.string().max(1_000).optional(),
  /** Where the request came from. */
  origin: z.strictObject({ address: z.string().max(64) }).optional(),
  /** The ingress replica whose channel takes the result's body. */
  replyTo: idSchema,
  /** True when the result's body is stored, so that it can be read later. */
  keepResult: z.boolean(),
  requestedAt: instantMsSchema,
  /** Nothing starts after this instant. */
  notAfter: instantMsSchema,
});
export type Call = z.infer<typeof callSchema>;

/** The decision with its grounds, kept as evidence beside the signed statement. */
export const decisionRecordSchema = z.strictObject({
  ...policyAnswerSchema.shape,
  policyDigest: digestSchema,
  policyVersion: z.int().positive(),
  /** The policy's input without the arguments, which stand in the call. */
  facts: z.record(z.string(), parsedJsonSchema),
  decidedAt: instantMsSchema,
  /** The decision of the candidate policy, where it differs. */
  shadow: z
    .strictObject({
      policyDigest: digestSchema,
      policyVersion: z.int().positive(),
      /** `error` where the candidate did not decide. */
      verdict: z.enum(['allow', 'ask', 'deny', 'error']),
      reasons: z.array(reasonSchema).max(64),
    })
    .optional(),
});
export type DecisionRecord = z.infer<typeof decisionRecordSchema>;

/** One charge against a limit. */
export const chargeSchema = z.strictObject({
  limit: idSchema,
  /** `spend` and `volume` count amounts: money, and any other amount that policy counts. */
  kind: z.enum(['rate', 'concurrency', 'spend', 'volume']),
  amount: z.number(),
  left: z.number(),
});

/** Everything known about a call when it starts or is refused; sealed for the auditor, it is the record. */
export const evidenceSchema = z.strictObject({
  call: callSchema.partial().optional(),
  decision: decisionRecordSchema.optional(),
  statement: signedSchema.optional(),
  charges: z.array(chargeSchema).optional(),
  detail: z.record(z.string(), parsedJsonSchema).optional(),
});
export type Evidence = z.infer<typeof evidenceSchema>;

const decided = { call: callSchema, decision: decisionRecordSchema, statement: signedSchema };

/** What every ledger event has in clear: enough to find a call and to answer its agent. */
const ledgerHead = {
  tenant: idSchema,
  agent: idSchema,
  call: idSchema,
  tool: idSchema,
  at: instantMsSchema,
};

const claimSchema = z.strictObject({
  ...ledgerHead,
  session: idSchema,
  user: idSchema,
  toolVersion: digestSchema,
  argumentsDigest: digestSchema,
  callDigest: digestSchema,
  replyTo: idSchema,
  keepResult: z.boolean(),
  /** Who claims, and the nonce that identifies the stored claim after a lost acknowledgement. */
  executor: idSchema,
  nonce: idSchema,
  /** The claim expires this long after `at`. */
  claimMs: z.int().positive().max(limits.claimMs),
  /** True when the call may be claimed once more after the claim expired. */
  idempotent: z.boolean(),
  /** One-time X25519 public key (base64url) to which the broker seals the credential; absent when none is needed. */
  leaseKey: z.base64url().optional(),
  evidence: sealedSchema,
});
export type Claim = z.infer<typeof claimSchema>;

export const settledSchema = z.strictObject({
  ...ledgerHead,
  outcome: z.enum(['succeeded', 'failed', 'unknown']),
  /** Why a call failed or its outcome is unknown, where the upstream did not answer that. */
  code: codeSchema.optional(),
  upstreamStatus: z.int().min(100).max(599).optional(),
  upstreamHeaders: shownHeadersSchema.optional(),
  /** The body as the agent gets it, after redaction; absent when the outcome is unknown. */
  result: z
    .strictObject({ digest: digestSchema, bytes: z.int().nonnegative(), mediaType: z.string().max(256) })
    .optional(),
  /** How often a credential was removed from the body or headers. */
  redactions: z.int().nonnegative(),
  labels: z.array(idSchema).max(32),
  executor: idSchema,
  keepResult: z.boolean(),
  argumentsDigest: digestSchema,
});
export type Settled = z.infer<typeof settledSchema>;

export const refusedSchema = z.strictObject({
  ...ledgerHead,
  by: z.enum(services),
  code: codeSchema,
  /** Public text. */
  detail: z.string().max(2_000),
  rule: z.string().max(128).optional(),
  pointer: z.string().max(1_024).optional(),
  retryAfterMs: z.int().nonnegative().optional(),
  /** What the agent can do, where that is not what the code says in general. */
  next: z.string().max(1_000).optional(),
  /** How many requests this record stands for, where a flood was refused in one record. */
  count: z.int().positive().optional(),
  argumentsDigest: digestSchema.optional(),
  evidence: sealedSchema,
});
export type Refused = z.infer<typeof refusedSchema>;

/** A request of another enforcement point (AuthZEN 1.0) and policy's answer. Nothing is carried out. */
const evaluatedSchema = z.strictObject({
  ...ledgerHead,
  /** The agent that sent the request; `agent` is the one the request is about. */
  asker: idSchema,
  verdict: z.enum(['allow', 'ask', 'deny']),
  evidence: sealedSchema,
});

/** The question to a person. Its digest binds the answer, and it contains the call's digest. */
export const questionSchema = z.strictObject({
  ...identitySchema.shape,
  tool: idSchema,
  toolVersion: digestSchema,
  argumentsDigest: digestSchema,
  callDigest: digestSchema,
  reasons: z.array(reasonSchema).max(64),
  purpose: z.string().max(1_000).optional(),
  /** Roles any of which may answer. */
  roles: z.array(idSchema).min(1).max(16),
  /** True when the person the agent acts for may not answer. */
  separateDuties: z.boolean(),
  askedAt: instantMsSchema,
  expiresAt: instantMsSchema,
});
export type Question = z.infer<typeof questionSchema>;

/** The exact held call and its decision: sealed for decider, console and auditor until the question resolves. */
export const heldCallSchema = z.strictObject({
  call: callSchema,
  decision: decisionRecordSchema,
  /** The decider's signed `ask`: it decides again only calls that it held itself. */
  statement: signedSchema,
  heldSequence: z.int().positive(),
});
export type HeldCall = z.infer<typeof heldCallSchema>;

/** The body of each event, by step. */
export const eventSchemas = {
  requested: z.strictObject({ call: callSchema }),
  decided: z.strictObject(decided),
  held: z.strictObject(decided),
  admitted: z.strictObject({ ...decided, charges: z.array(chargeSchema) }),
  started: claimSchema,
  restarted: claimSchema,
  settled: settledSchema,
  refused: refusedSchema,
  evaluated: evaluatedSchema,
  asked: z.strictObject({ question: questionSchema, questionDigest: digestSchema, sealed: sealedSchema }),
  answered: z.strictObject({ tenant: idSchema, call: idSchema, statement: signedSchema }),
  resolved: z.strictObject({
    tenant: idSchema,
    call: idSchema,
    statement: signedSchema,
    sealed: sealedSchema,
  }),
} as const satisfies Record<Step, z.ZodType>;

/** The body of a step's event. */
export type EventBody<S extends Step> = z.infer<(typeof eventSchemas)[S]>;

/** A management operation, on the CONTROL stream. */
export const controlSchema = z.strictObject({
  kind: idSchema,
  verb: idSchema,
  tenant: idSchema,
  name: z.string().max(256),
  by: idSchema,
  reason: z.string().max(1_000).optional(),
  at: instantMsSchema,
  /** Digest of the signed entry that was written, where one was. */
  entryDigest: digestSchema.optional(),
  /** The signed entry itself, where it puts a policy into force: every reader can verify its version and digest. */
  entry: signedSchema.optional(),
});
export type Control = z.infer<typeof controlSchema>;

/**
 * Returns a call's digest: tenant, agent, user, session, tool, its version, and the arguments.
 * An approval and a statement are valid for this digest only.
 */
export function callDigestOf(
  call: Pick<Call, 'tenant' | 'agent' | 'user' | 'session' | 'tool' | 'toolVersion' | 'argumentsDigest'>,
): string {
  const { tenant, agent, user, session, tool, toolVersion, argumentsDigest } = call;
  return digestOf({ tenant, agent, user, session, tool, toolVersion, argumentsDigest });
}

/** Returns the context under which a box is sealed. A box that was sealed under one context does not open under another. */
export function sealContext(
  purpose: 'evidence' | 'held' | 'result' | 'lease' | 'credential',
  subject: string,
): string {
  return `${purpose}:${subject}`;
}
