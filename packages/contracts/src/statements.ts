import { z } from 'zod';
import { digestSchema, idSchema, instantMsSchema } from './ids.ts';
import { parsedJsonSchema } from './json.ts';
import { auditedStreams, type KeyHolder } from './lifecycle.ts';

/** Which agent makes which call, for which user: all of it from authentication. */
export const identitySchema = z.strictObject({
  tenant: idSchema,
  agent: idSchema,
  user: idSchema,
  session: idSchema,
  call: idSchema,
});
export type Identity = z.infer<typeof identitySchema>;

/** What a person's approval adds to a decision. */
export const approvalSchema = z.strictObject({
  questionDigest: digestSchema,
  person: idSchema,
  resolvedAt: instantMsSchema,
});

/** An instruction that goes with a verdict, for a service after the decider. */
export const obligationSchema = z.strictObject({
  name: idSchema,
  parameters: z.record(z.string(), parsedJsonSchema).optional(),
});

/**
 * The obligations that Interlock supports: `announce` and `audit` are logged and recorded, the approver asks a person for
 * `approval`, the limiter charges for `limit`. Any other may be the condition under which a call was allowed, so a service
 * that meets one refuses the call.
 */
export const obligationNames = ['announce', 'approval', 'audit', 'limit'] as const;
export type ObligationName = (typeof obligationNames)[number];

/** Returns the name of the first obligation that is not supported, if there is one. */
export function unknownObligation(
  obligations: readonly z.infer<typeof obligationSchema>[],
): string | undefined {
  const known: readonly string[] = obligationNames;
  return obligations.find(({ name }) => !known.includes(name))?.name;
}

const decisionSchema = z.strictObject({
  type: z.literal('decision'),
  ...identitySchema.shape,
  tool: idSchema,
  toolVersion: digestSchema,
  argumentsDigest: digestSchema,
  callDigest: digestSchema,
  verdict: z.enum(['allow', 'ask']),
  obligations: z.array(obligationSchema).max(32),
  policyDigest: digestSchema,
  approval: approvalSchema.optional(),
  issuedAt: instantMsSchema,
  /** Nothing starts after this instant. */
  notAfter: instantMsSchema,
});

const answerSchema = z.strictObject({
  type: z.literal('answer'),
  answer: idSchema,
  tenant: idSchema,
  call: idSchema,
  questionDigest: digestSchema,
  person: idSchema,
  verdict: z.enum(['approve', 'deny']),
  reason: z.string().max(1_000).optional(),
  channel: idSchema,
  issuedAt: instantMsSchema,
});

const resolutionSchema = z.strictObject({
  type: z.literal('resolution'),
  tenant: idSchema,
  call: idSchema,
  callDigest: digestSchema,
  questionDigest: digestSchema,
  resolution: z.enum(['approved', 'denied', 'expired']),
  /** Who answered; absent when the question expired. */
  person: idSchema.optional(),
  reason: z.string().max(1_000).optional(),
  issuedAt: instantMsSchema,
  /** The call must start before this instant. */
  notAfter: instantMsSchema,
});

const entrySchema = z.strictObject({
  type: z.literal('entry'),
  bucket: z.string(),
  key: z.string(),
  /** Grows with every write of this key, so that an older entry cannot be replayed as a newer one. */
  version: z.int().positive(),
  issuedAt: instantMsSchema,
  /** The entry, or null where it was removed. */
  value: z.unknown(),
});

const anchorSchema = z.strictObject({
  type: z.literal('anchor'),
  stream: z.enum(auditedStreams),
  /** When the stream was made (RFC 3339): the sequences of another stream of the same name are kept apart. */
  created: z.string(),
  /** The last sequence under this anchor. */
  sequence: z.int().nonnegative(),
  /** The chain's hash at that sequence. */
  hash: digestSchema,
  issuedAt: instantMsSchema,
});

const bundleSchema = z.strictObject({
  type: z.literal('bundle'),
  /** SHA-256 of the bundle's bytes. */
  digest: digestSchema,
  bytes: z.int().positive(),
  issuedAt: instantMsSchema,
});

const consoleProofSchema = z.strictObject({
  type: z.literal('consoleProof'),
  /** What the asker drew: 32 random bytes. */
  nonce: z.base64url().length(43),
  /** The address and port at which the service was asked, with a blank between them. */
  address: z.string().max(64),
  issuedAt: instantMsSchema,
});

const ingressProofSchema = consoleProofSchema.extend({ type: z.literal('ingressProof') });

/** Each type of statement: its shape and the one role that may sign it. */
export const statements = {
  decision: { schema: decisionSchema, signer: 'decider' },
  answer: { schema: answerSchema, signer: 'console' },
  resolution: { schema: resolutionSchema, signer: 'approver' },
  entry: { schema: entrySchema, signer: 'console' },
  anchor: { schema: anchorSchema, signer: 'auditor' },
  bundle: { schema: bundleSchema, signer: 'author' },
  consoleProof: { schema: consoleProofSchema, signer: 'console' },
  ingressProof: { schema: ingressProofSchema, signer: 'ingress' },
} as const satisfies Record<string, { schema: z.ZodType; signer: KeyHolder }>;

export type StatementType = keyof typeof statements;
export type Statement<T extends StatementType> = z.infer<(typeof statements)[T]['schema']>;

/** A signed statement as it travels: a compact JWS (RFC 7515). */
export const signedSchema = z.string().max(64 * 1_024);

/** The schemas of all statements, for JSON Schema export. */
export const statementSchemas = {
  decision: decisionSchema,
  answer: answerSchema,
  resolution: resolutionSchema,
  entry: entrySchema,
  anchor: anchorSchema,
  bundle: bundleSchema,
  consoleProof: consoleProofSchema,
  ingressProof: ingressProofSchema,
};
