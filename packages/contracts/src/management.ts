/** The management API: requests of people and of the `interlock` command to the console, and its answers. */
import { z } from 'zod';
import { agentFileSchema, signedBundleSchema } from './configuration.ts';
import {
  agentEntrySchema,
  approvalsEntrySchema,
  callLabelEntrySchema,
  emergencyEntrySchema,
  limitsEntrySchema,
  personEntrySchema,
  policyEntrySchema,
  switchEntrySchema,
} from './entries.ts';
import { questionSchema } from './events.ts';
import { digestSchema, idSchema, instantMsSchema } from './ids.ts';

const DAY_MS = 86_400_000;
const keyIdSchema = idSchema;

/** `POST /v1/agents`: makes an agent and its first key. */
export const agentCreateSchema = z.strictObject({
  ...agentFileSchema.omit({ $schema: true }).shape,
  /** How long the key is valid. */
  validMs: z
    .int()
    .min(1_000)
    .max(366 * DAY_MS)
    .default(90 * DAY_MS),
});

/** `POST /v1/agents/{tenant}/{agent}/rotate`: makes a new key; the old ones stay valid for the overlap. */
export const agentRotateSchema = z.strictObject({
  overlapMs: z
    .int()
    .nonnegative()
    .max(30 * DAY_MS)
    .default(3_600_000),
  validMs: agentCreateSchema.shape.validMs,
});

/** `POST /v1/agents/{tenant}/{agent}/revoke`: ends one key, or all of them at once. */
export const agentRevokeSchema = z.strictObject({ keyId: keyIdSchema.optional() });

/** A new key, which is returned once. */
export const agentKeySchema = z.strictObject({
  tenant: idSchema,
  agent: idSchema,
  keyId: keyIdSchema,
  key: z.string(),
  notAfter: instantMsSchema,
});
export type AgentKey = z.infer<typeof agentKeySchema>;

/** An agent without its hashes. */
export const agentViewSchema = agentEntrySchema.omit({ keys: true, session: true }).extend({
  keys: z.array(
    z.strictObject({ keyId: keyIdSchema, createdAt: instantMsSchema, notAfter: instantMsSchema }),
  ),
});
export const agentListSchema = z.strictObject({ agents: z.array(agentViewSchema) });

/** `GET /v1/people`: people, without the hashes of their tokens. */
export const personListSchema = z.strictObject({
  people: z.array(personEntrySchema.omit({ tokenHash: true })),
});

/** `GET /v1/settings`: what was applied; absent where none ever was. */
export const settingsSchema = z.strictObject({
  limits: limitsEntrySchema.optional(),
  approvals: approvalsEntrySchema.optional(),
});
export type Settings = z.infer<typeof settingsSchema>;

/** `PUT /v1/credentials/{name}`. */
export const credentialSetSchema = z.strictObject({ value: z.string().min(1).max(16_384) });
export const credentialListSchema = z.strictObject({
  credentials: z.array(z.strictObject({ name: idSchema, setAt: instantMsSchema })),
});

export const switchTargetSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('all') }),
  z.strictObject({ kind: z.literal('tenant'), tenant: idSchema }),
  z.strictObject({ kind: z.literal('agent'), tenant: idSchema, agent: idSchema }),
  z.strictObject({ kind: z.literal('tool'), tool: idSchema }),
  z.strictObject({ kind: z.literal('credential'), credential: idSchema }),
]);

/** `POST /v1/kill`. */
export const killRequestSchema = z.strictObject({
  target: switchTargetSchema,
  on: z.boolean(),
  reason: z.string().max(1_000).optional(),
});
export const switchListSchema = z.strictObject({
  switches: z.array(
    switchEntrySchema.extend({
      key: z.string(),
      /** False while the switch is in force and could not be stored: it does not survive a restart of the console yet. */
      stored: z.boolean(),
    }),
  ),
});

/** An open question, with the exact arguments that a person must see before answering. */
export const openApprovalSchema = z.strictObject({
  ...questionSchema.shape,
  questionDigest: digestSchema,
  arguments: z.record(z.string(), z.json()),
});
export type OpenApproval = z.infer<typeof openApprovalSchema>;
export const approvalListSchema = z.strictObject({
  approvals: z.array(openApprovalSchema),
  /** Calls whose question does not open or does not match its digest: nobody can answer them. */
  unreadable: z.array(z.strictObject({ tenant: idSchema, call: idSchema })),
  /** How many younger questions are not listed: a list has a limit. Each can be asked for by its call. */
  more: z.int().nonnegative(),
});

/** `POST /v1/approvals/{tenant}/{call}`: an answer, bound by the digest to the question that the person saw. */
export const answerRequestSchema = z.strictObject({
  verdict: z.enum(['approve', 'deny']),
  questionDigest: digestSchema,
  reason: z.string().max(1_000).optional(),
});
export const answerReplySchema = z.strictObject({
  tenant: idSchema,
  call: idSchema,
  state: z.enum(['approved', 'denied']),
  person: idSchema,
});

/** `GET /v1/approvals/{tenant}/{call}`: what became of a question, and of its call as far as the audit trail has it. */
export const questionStateSchema = z.strictObject({
  tenant: idSchema,
  call: idSchema,
  state: z.enum(['open', 'approved', 'denied', 'expired']),
  /** Absent until the call has started or ended. */
  ending: z
    .discriminatedUnion('step', [
      z.strictObject({ step: z.literal('started') }),
      z.strictObject({
        step: z.literal('settled'),
        outcome: z.enum(['succeeded', 'failed', 'unknown']),
        code: z.string().optional(),
      }),
      z.strictObject({ step: z.literal('refused'), code: z.string(), detail: z.string() }),
    ])
    .optional(),
});
export type QuestionState = z.infer<typeof questionStateSchema>;

/** One span of a trace that is listed as a tree. */
export const traceSpanSchema = z.strictObject({
  depth: z.int().nonnegative(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  service: z.string(),
  /** Since the start of the trace. */
  offsetMs: z.number(),
  durationMs: z.number(),
  failed: z.boolean(),
  attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});
export type TraceSpan = z.infer<typeof traceSpanSchema>;

/** `GET /v1/traces/{call}`: the traces that a call appears in, oldest first. */
export const callTracesSchema = z.strictObject({
  call: idSchema,
  traces: z.array(
    z.strictObject({
      traceId: z.string(),
      startedAt: z.number(),
      durationMs: z.number(),
      spans: z.array(traceSpanSchema),
    }),
  ),
});
export type CallTraces = z.infer<typeof callTracesSchema>;

/** `POST /v1/policy`: puts a signed bundle into force, or (`candidate`) lets it decide beside the one in force without effect. */
export const policyPublishSchema = z.strictObject({
  ...signedBundleSchema.shape,
  as: z.enum(['current', 'candidate']),
  reason: z.string().max(1_000).optional(),
});
/** `POST /v1/policy/rollback`: publishes the content of an earlier version as a new one. */
export const policyRollbackSchema = z.strictObject({
  to: z.int().positive(),
  reason: z.string().max(1_000).optional(),
});

/** The policies that one decider has loaded: KV bucket `policyStatuses`, key = its replica. */
export const policyStatusSchema = z.strictObject({
  replica: idSchema,
  current: z.strictObject({ version: z.int().positive(), digest: digestSchema }).optional(),
  candidate: z.strictObject({ version: z.int().positive(), digest: digestSchema }).optional(),
  /** The newest version of each that it refused to load, and why. */
  rejected: z
    .array(
      z.strictObject({
        as: z.enum(['current', 'candidate']),
        version: z.int().positive(),
        digest: digestSchema,
        detail: z.string().max(2_000),
      }),
    )
    .max(2),
  at: instantMsSchema,
});
export type PolicyStatus = z.infer<typeof policyStatusSchema>;

/** `GET /v1/policy`, and the answer to publishing, rolling back and dropping a candidate. `GET /v1/policy/bundles/{digest}` gives the bytes. */
export const policyStateSchema = z.strictObject({
  current: policyEntrySchema.optional(),
  candidate: policyEntrySchema.optional(),
  /** Every version that was ever current, newest first. */
  versions: z.array(policyEntrySchema),
  deciders: z.array(policyStatusSchema),
});
export type PolicyState = z.infer<typeof policyStateSchema>;

/** `POST /v1/tools/{name}/pin`: pins the definition of an MCP tool that the person has checked. */
export const toolPinSchema = z.strictObject({ definitionDigest: digestSchema });

/** `PUT /v1/labels/{tenant}/{call}`. */
export const callLabelSetSchema = callLabelEntrySchema.pick({ label: true, note: true });
/** `GET /v1/labels`. */
export const callLabelListSchema = z.strictObject({ labels: z.array(callLabelEntrySchema) });

/** `POST /v1/emergencies`: break-glass for one agent. `DELETE /v1/emergencies/{tenant}/{agent}` closes it early. */
export const emergencyOpenSchema = emergencyEntrySchema
  .pick({ tenant: true, agent: true, tools: true, reason: true })
  .extend({
    forMs: z
      .int()
      .min(60_000)
      .max(4 * 3_600_000),
  });
/** `GET /v1/emergencies`: those that have not expired. */
export const emergencyListSchema = z.strictObject({ emergencies: z.array(emergencyEntrySchema) });

/**
 * The last line of `GET /v1/replay?since&until&agent&tool`, which is NDJSON with one recorded call a line, oldest first.
 * Without this line the answer is not whole.
 */
export const replayEndSchema = z.strictObject({
  complete: z.literal(true),
  calls: z.int().nonnegative(),
  /** Records with a decision that were left out: too large, or not of the present shape. */
  unreadable: z.int().nonnegative(),
});
export type ReplayEnd = z.infer<typeof replayEndSchema>;
