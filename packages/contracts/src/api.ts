import { z } from 'zod';
import { limits } from './events.ts';
import { faultCodes, faultCodesOf } from './faults.ts';
import { shownHeadersSchema } from './headers.ts';
import { idSchema, instantMsSchema } from './ids.ts';
import { signedSchema } from './statements.ts';
import { jsonSchemaSchema, toolLabelSchema } from './tool.ts';

/** What ingress may answer an agent. */
const agentCodeSchema = z.enum(faultCodesOf('agents'));

/** `POST /v1/calls`: the tool that an agent calls, and the arguments. */
export const callRequestSchema = z.strictObject({
  tool: idSchema,
  arguments: z.record(z.string(), z.json()),
  purpose: z.string().max(1_000).optional(),
});
export type CallRequest = z.infer<typeof callRequestSchema>;

/** The outcome of a call that was carried out, or may have been carried out. */
export const callOutcomeSchema = z.strictObject({
  call: idSchema,
  outcome: z.enum(['succeeded', 'failed', 'unknown']),
  /** JSON where the upstream answered JSON, else its text. Absent where it was not kept or is not known. */
  result: z.json().optional(),
  mediaType: z.string().optional(),
  upstreamStatus: z.int().optional(),
  /** Headers of the upstream's answer that the tool shows, by names in lower case. */
  upstreamHeaders: shownHeadersSchema.optional(),
  code: agentCodeSchema.optional(),
  /** What happened and whether it may have been carried out, and what to do next; absent after a success with its result. */
  detail: z.string().optional(),
  next: z.string().optional(),
  /** True when the outcome was stored earlier and this answer repeats it. */
  replayed: z.boolean().optional(),
});
export type CallOutcome = z.infer<typeof callOutcomeSchema>;

/** 202: the call waits for a person's approval, or it is still running. */
export const callPendingSchema = z.strictObject({
  call: idSchema,
  state: z.enum(['held', 'running']),
  /** Until when a person may answer. */
  expiresAt: instantMsSchema.optional(),
  /** Why the call waits, and for whom. */
  detail: z.string(),
  /** What the caller can do. */
  next: z.string(),
});
export type CallPending = z.infer<typeof callPendingSchema>;

/** A problem document (RFC 9457), of ingress or of the management API. */
export const problemSchema = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string(),
  code: z.enum(faultCodes),
  rule: z.string().optional(),
  call: idSchema.optional(),
  /** JSON Pointer (RFC 6901) to the fault in the request's body. */
  pointer: z.string().optional(),
  /** Seconds to wait before the next request. */
  retryAfter: z.int().positive().optional(),
  /** What the caller can do. */
  next: z.string(),
});
export type Problem = z.infer<typeof problemSchema>;

/** A problem document of ingress. */
export const agentProblemSchema = problemSchema.extend({ code: agentCodeSchema });

/** `GET /v1/tools`. */
export const toolListSchema = z.strictObject({
  tools: z.array(
    z.strictObject({
      name: idSchema,
      title: z.string().optional(),
      description: z.string(),
      labels: z.array(toolLabelSchema),
      inputSchema: jsonSchemaSchema,
    }),
  ),
});

const nameSchema = z.string().min(1).max(256);

/**
 * `POST /access/v1/evaluation` (AuthZEN Authorization API 1.0, section 6). Unknown members are ignored, as the standard
 * demands for what other deployments add.
 */
export const evaluationSchema = z.looseObject({
  /** The agent that would make the call. */
  subject: z.looseObject({ type: nameSchema, id: nameSchema }),
  action: z.looseObject({ name: nameSchema }),
  /** The tool that would be called. */
  resource: z.looseObject({
    type: nameSchema,
    id: nameSchema,
    properties: z.looseObject({ arguments: z.record(z.string(), z.json()).optional() }).optional(),
  }),
  context: z.looseObject({ purpose: z.string().max(1_000).optional() }).optional(),
});

/** `POST /access/v1/evaluations` (section 7): members beside `evaluations` are the defaults of each of them. */
export const evaluationsSchema = z.looseObject({
  ...evaluationSchema.partial().shape,
  evaluations: z.array(evaluationSchema.partial()).max(limits.evaluations).optional(),
  options: z
    .looseObject({
      evaluations_semantic: z
        .enum(['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'])
        .default('execute_all'),
    })
    .optional(),
});

/** What policy decides: `decision` is true only where it allows. */
export const evaluationDecisionSchema = z.looseObject({
  decision: z.boolean(),
  context: z
    .looseObject({
      /** The id of the evaluation in the audit trail. */
      evaluation: idSchema.optional(),
      verdict: z.enum(['allow', 'ask', 'deny']).optional(),
      reasons: z.array(z.strictObject({ rule: z.string(), text: z.string() })).optional(),
      obligations: z.array(z.looseObject({ name: idSchema })).optional(),
      policyDigest: z.string().optional(),
      /** Why there is no verdict. */
      code: agentCodeSchema.optional(),
      next: z.string().optional(),
      error: z.strictObject({ status: z.int(), message: z.string() }).optional(),
    })
    .optional(),
});
export const evaluationDecisionsSchema = z.union([
  evaluationDecisionSchema,
  z.strictObject({ evaluations: z.array(evaluationDecisionSchema) }),
]);

/** `GET /.well-known/authzen-configuration` (section 9). */
export const decisionPointSchema = z.strictObject({
  policy_decision_point: z.url(),
  access_evaluation_endpoint: z.url(),
  access_evaluations_endpoint: z.url(),
});

/** The answer of a service that proves who it is: a statement `consoleProof` or `ingressProof`. */
export const proofSchema = z.strictObject({ proof: signedSchema });
