/** The management API: what people and their tools ask of the console, and what it answers. */
import { z } from 'zod';
import { agentFileSchema, signedBundleSchema } from './configuration.ts';
import {
  agentEntrySchema,
  callLabelEntrySchema,
  emergencyEntrySchema,
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
  /** How long the key holds. */
  validMs: z
    .int()
    .min(1_000)
    .max(366 * DAY_MS)
    .default(90 * DAY_MS),
});

/** `POST /v1/agents/{tenant}/{agent}/rotate`: makes a new key; the old ones hold a while longer. */
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

/** A key as it is shown, once. */
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

/** `GET /v1/people`: nobody's token or hash. */
export const personListSchema = z.strictObject({
  people: z.array(personEntrySchema.omit({ tokenHash: true })),
});

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
  switches: z.array(switchEntrySchema.extend({ key: z.string() })),
});

/** An open question as a person must see it before answering: with the exact arguments. */
export const openApprovalSchema = z.strictObject({
  ...questionSchema.shape,
  questionDigest: digestSchema,
  arguments: z.record(z.string(), z.json()),
});
export type OpenApproval = z.infer<typeof openApprovalSchema>;
export const approvalListSchema = z.strictObject({
  approvals: z.array(openApprovalSchema),
  /** Calls whose question does not open or is not what it says: nobody can answer them. */
  unreadable: z.array(z.strictObject({ tenant: idSchema, call: idSchema })),
});

/** `POST /v1/approvals/{tenant}/{call}`: binds an answer to the question that was looked at. */
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

/** One span, in the order a tree is printed. */
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

/** `GET /v1/traces/{call}`: the traces in which a call appears, oldest first. */
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

/** `POST /v1/policy`: publishes a signed bundle, to decide or (`candidate`) to be watched beside the one that decides. */
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

/** What one decider holds: KV bucket `policyStatuses`, key = its replica. */
export const policyStatusSchema = z.strictObject({
  replica: idSchema,
  current: z.strictObject({ version: z.int().positive(), digest: digestSchema }).optional(),
  candidate: z.strictObject({ version: z.int().positive(), digest: digestSchema }).optional(),
  /** The newest version of each that it refused to take, and why. */
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

/** `POST /v1/tools/{name}/pin`: agrees to the definition of an MCP tool that the person has seen. */
export const toolPinSchema = z.strictObject({ definitionDigest: digestSchema });

/** `PUT /v1/labels/{tenant}/{call}`. */
export const callLabelSetSchema = callLabelEntrySchema.pick({ label: true, note: true });
/** `GET /v1/labels`. */
export const callLabelListSchema = z.strictObject({ labels: z.array(callLabelEntrySchema) });

/** `POST /v1/emergencies`: breaks the glass. `DELETE /v1/emergencies/{tenant}/{agent}` ends it early. */
export const emergencyOpenSchema = emergencyEntrySchema
  .pick({ tenant: true, agent: true, tools: true, reason: true })
  .extend({
    forMs: z
      .int()
      .min(60_000)
      .max(4 * 3_600_000),
  });
/** `GET /v1/emergencies`: those that have not run out. */
export const emergencyListSchema = z.strictObject({ emergencies: z.array(emergencyEntrySchema) });

/**
 * `GET /v1/replay?since&until&agent&tool`: NDJSON, one recorded call a line, oldest first. The last line is this one:
 * without it the answer is not whole.
 */
export const replayEndSchema = z.strictObject({
  complete: z.literal(true),
  calls: z.int().nonnegative(),
  /** Records that hold a decision and were left out: too large, or not of today's shape. */
  unreadable: z.int().nonnegative(),
});
export type ReplayEnd = z.infer<typeof replayEndSchema>;
