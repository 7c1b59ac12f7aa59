import { z } from 'zod';
import { injectionSchema } from './credential-use.ts';
import { credentialEntrySchema } from './entries.ts';
import { decisionRecordSchema, evidenceSchema, limits } from './events.ts';
import { digestSchema, idSchema, instantMsSchema } from './ids.ts';
import { parsedJsonSchema } from './json.ts';
import { auditedStreams, type RpcName } from './lifecycle.ts';
import { policyAnswerSchema } from './policy.ts';
import { sealedSchema } from './sealed.ts';
import { identitySchema, signedSchema } from './statements.ts';

/** Tools of an installation that one list names. */
const TOOLS_MAX = 10_000;

/** An audit record as a person sees it: the event, and the opened evidence. */
export const auditRecordSchema = z.strictObject({
  stream: z.enum(auditedStreams),
  sequence: z.int().positive(),
  step: z.string(),
  tenant: idSchema.optional(),
  agent: idSchema.optional(),
  call: idSchema.optional(),
  tool: idSchema.optional(),
  at: instantMsSchema,
  /** The event's body without its sealed parts. */
  event: z.record(z.string(), parsedJsonSchema),
  evidence: evidenceSchema.optional(),
  hash: digestSchema,
});
export type AuditRecord = z.infer<typeof auditRecordSchema>;

/** A recorded call as policy's authors replay it: policy's input, the arguments, and policy's answer. */
export const recordedCallSchema = z.strictObject({
  tenant: idSchema,
  call: idSchema,
  agent: idSchema,
  tool: idSchema,
  at: instantMsSchema,
  /** `refused` has the code of the fault, whichever service refused; `asked` is a call that is still held. */
  step: z.enum(['asked', 'started', 'refused', 'evaluated']),
  code: z.string().optional(),
  decision: decisionRecordSchema,
  /** Canonical JSON. */
  arguments: z.string(),
});
export type RecordedCall = z.infer<typeof recordedCallSchema>;

/** One problem that a check of the audit trail found, and its place. */
export const auditProblemSchema = z.strictObject({
  kind: z.enum([
    'edited',
    'missing',
    'reordered',
    'truncated',
    'anchor-mismatch',
    'anchor-forged',
    'unexpected',
  ]),
  stream: z.enum(auditedStreams),
  sequence: z.int().nonnegative(),
  detail: z.string(),
});

/** Below the time limits of those who ask. */
const VERIFY_WAIT_MAX_MS = 100_000;

export const auditVerificationSchema = z.strictObject({
  intact: z.boolean(),
  /** How many records were checked, by stream. */
  checked: z.record(z.enum(auditedStreams), z.int()),
  anchors: z.int(),
  problems: z.array(auditProblemSchema).max(100),
});
export type AuditVerification = z.infer<typeof auditVerificationSchema>;

/** How far a check of the audit trail is: records that were checked, and about how many there are. */
const progressMembers = { checked: z.int().nonnegative(), expected: z.int().nonnegative() };
export type VerificationProgress = z.infer<z.ZodObject<typeof progressMembers>>;

/** A check that is still under way. Whoever asks again names it, and gets its result. */
export const runningVerificationSchema = z.strictObject({ run: idSchema, ...progressMembers });

/** Asks for a check of the audit trail, or for the one with an id, and waits for its result for so long. */
export const verificationRequestSchema = z.strictObject({
  run: idSchema.optional(),
  waitMs: z.int().nonnegative().max(VERIFY_WAIT_MAX_MS).default(VERIFY_WAIT_MAX_MS),
});

/** The request and the reply of every verb. */
export const rpcSchemas = {
  /** Leases the credentials of one claimed call; the reply opens with the one-time key in `started`. */
  'broker.lease': {
    request: z.strictObject({
      tenant: idSchema,
      call: idSchema,
      statement: signedSchema,
      arguments: z.string(),
    }),
    reply: z.strictObject({
      /** Each credential of the tool, sealed (`sealContext('lease', call)`), in the order of the tool. */
      credentials: z.array(z.strictObject({ sealed: sealedSchema, inject: injectionSchema })).min(1),
      /** The only origin they may be sent to. */
      origin: z.url(),
      notAfter: instantMsSchema,
    }),
  },
  /** Encrypts a credential for storage. `sealed` is for the broker (`sealContext('credential', name)`). */
  'broker.seal': {
    request: z.strictObject({ name: idSchema, sealed: sealedSchema }),
    reply: credentialEntrySchema,
  },
  'auditor.show': {
    request: z.strictObject({ call: idSchema, tenants: z.array(idSchema).optional() }),
    reply: z.strictObject({ records: z.array(auditRecordSchema) }),
  },
  /**
   * Returns the recorded calls of a span of time, oldest first, each with policy's input and answer, page by page.
   * The first request names the span; the ones after it only the cursor, until `cursor` is absent from a reply.
   */
  'auditor.replay': {
    request: z.union([
      z.strictObject({
        tenants: z.array(idSchema).optional(),
        since: instantMsSchema,
        until: instantMsSchema,
        /** Only calls of this agent or of this tool; absent means all. */
        agent: idSchema.optional(),
        tool: idSchema.optional(),
      }),
      /** A cursor is valid once. `close` ends the replay early. */
      z.strictObject({ cursor: idSchema, close: z.literal(true).optional() }),
    ]),
    reply: z.strictObject({
      calls: z.array(recordedCallSchema).max(2_000),
      /** Records of this page with a decision that cannot be returned: too large, or of an older shape. */
      unreadable: z.int().nonnegative(),
      cursor: idSchema.optional(),
    }),
  },
  /** Asks policy about a call that is not carried out here. The answer is on the ledger before it is returned. */
  'decider.evaluate': {
    request: z.strictObject({
      ...identitySchema.shape,
      asker: idSchema,
      tool: idSchema,
      toolVersion: digestSchema,
      /** Canonical JSON (RFC 8785). */
      arguments: z.string().max(limits.argumentsBytes),
      purpose: z.string().max(1_000).optional(),
      origin: z.strictObject({ address: z.string().max(64) }).optional(),
    }),
    reply: z.strictObject({
      verdict: policyAnswerSchema.shape.verdict,
      reasons: policyAnswerSchema.shape.reasons,
      obligations: policyAnswerSchema.shape.obligations,
      policyDigest: digestSchema,
    }),
  },
  /** Asks which tools an agent may ask for, whatever the arguments. */
  'decider.offer': {
    request: identitySchema.omit({ call: true }),
    reply: z.strictObject({
      /** Names. */
      tools: z.array(idSchema).max(TOOLS_MAX),
      policyDigest: digestSchema,
    }),
  },
  'auditor.search': {
    request: z.strictObject({
      tenants: z.array(idSchema).optional(),
      agent: idSchema.optional(),
      tool: idSchema.optional(),
      step: z.string().optional(),
      since: instantMsSchema.optional(),
      until: instantMsSchema.optional(),
      limit: z.int().positive().max(1_000).default(100),
    }),
    reply: z.strictObject({ records: z.array(auditRecordSchema.omit({ evidence: true })) }),
  },
  'auditor.verify': {
    request: verificationRequestSchema,
    reply: z.union([auditVerificationSchema, runningVerificationSchema]),
  },
} as const satisfies Record<RpcName, { request: z.ZodType; reply: z.ZodType }>;

export type RpcRequest<N extends RpcName> = z.infer<(typeof rpcSchemas)[N]['request']>;
export type RpcReply<N extends RpcName> = z.infer<(typeof rpcSchemas)[N]['reply']>;
