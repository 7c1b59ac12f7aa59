/** The configuration folder: the shape of each of its files, and the request that applies it to the management API. */
import { z } from 'zod';
import { agentEntrySchema, approvalsEntrySchema, limitsEntrySchema, personEntrySchema } from './entries.ts';
import { httpTargetSchema } from './http-target.ts';
import { digestSchema, idSchema } from './ids.ts';
import { signedSchema } from './statements.ts';
import { mcpTargetSchema, mcpTransportSchema, toolSchema } from './tool.ts';

const FILES_MAX = 1_000;
/** One file can list many tools of an MCP server. */
const TOOLS_MAX = 10_000;
/** A policy bundle as base64 text: 16 MiB of bytes, far above any real one. */
const BUNDLE_BASE64_LENGTH = 22_369_624;

/** Names the schema of a file for editors; Interlock ignores it. */
const annotation = { $schema: z.string().max(2_048).optional() };

/** `tools/*.yaml`: one tool that is one HTTP request. */
export const httpToolFileSchema = z.strictObject({
  ...annotation,
  ...toolSchema.omit({ target: true, unavailable: true }).shape,
  http: httpTargetSchema.omit({ kind: true }),
});
export type HttpToolFile = z.infer<typeof httpToolFileSchema>;

/** The settings of one listed tool of an MCP server; the rest of its definition comes from the server. */
export const mcpToolUseSchema = z.strictObject({
  labels: toolSchema.shape.labels,
  idempotent: toolSchema.shape.idempotent,
  spends: toolSchema.shape.spends,
  parse: toolSchema.shape.parse,
  environment: toolSchema.shape.environment,
  claimMs: toolSchema.shape.claimMs,
});

const mcpServerSchema = z.strictObject({
  server: idSchema,
  connection: mcpTransportSchema,
  /** Put before each tool's upstream name. */
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_-]{0,32}$/, 'must be at most 32 of A-Z a-z 0-9 _ -')
    .default(''),
  credential: toolSchema.shape.credential,
  timeoutMs: mcpTargetSchema.shape.timeoutMs,
  /** Tools by their upstream name. A tool that is not listed is not exposed. */
  tools: z.record(z.string().max(128), mcpToolUseSchema),
});
export type McpServer = z.infer<typeof mcpServerSchema>;

/** `tools/*.yaml`: listed tools of one upstream MCP server. */
export const mcpToolFileSchema = z.strictObject({ ...annotation, mcp: mcpServerSchema });
export type McpToolFile = z.infer<typeof mcpToolFileSchema>;

export const toolFileSchema = z.union([httpToolFileSchema, mcpToolFileSchema]);
export type ToolFile = z.infer<typeof toolFileSchema>;

/** Returns the schema for a tool file, by its kind, so that a mistake is reported against the kind that was meant. */
export function toolFileSchemaFor(value: unknown): typeof httpToolFileSchema | typeof mcpToolFileSchema {
  const isMcp = typeof value === 'object' && value !== null && 'mcp' in value;
  return isMcp ? mcpToolFileSchema : httpToolFileSchema;
}

/** `agents/*.yaml`: an agent. Its keys are not configuration: `interlock agent` makes them. */
export const agentFileSchema = z.strictObject({
  ...annotation,
  ...agentEntrySchema.pick({
    agent: true,
    tenant: true,
    user: true,
    roles: true,
    environment: true,
    caps: true,
  }).shape,
});
export type AgentFile = z.infer<typeof agentFileSchema>;

/** A person in the configuration. A person without `tokenHash` keeps the present token. */
export const configuredPersonSchema = personEntrySchema.extend({ tokenHash: digestSchema.optional() });
export type ConfiguredPerson = z.infer<typeof configuredPersonSchema>;

/** `people.yaml`. */
export const peopleFileSchema = z.strictObject({
  ...annotation,
  people: z.array(configuredPersonSchema).min(1).max(FILES_MAX),
});

/** `limits.yaml`. */
export const limitsFileSchema = limitsEntrySchema.extend(annotation);

/** `approvals.yaml`. */
export const approvalsFileSchema = approvalsEntrySchema.extend(annotation);

/** A compiled policy bundle and its author's signature. */
export const signedBundleSchema = z.strictObject({
  /** The tar.gz of `opa build -t wasm`, base64. */
  bundle: z.base64().max(BUNDLE_BASE64_LENGTH),
  /** The statement `bundle`. */
  signature: signedSchema,
});
export type SignedBundle = z.infer<typeof signedBundleSchema>;

/** `POST /v1/apply`: a whole configuration. What is absent stays as it is; a tool that is not listed is removed. */
export const configurationSchema = z.strictObject({
  tools: z.array(toolSchema).max(TOOLS_MAX),
  agents: z.array(agentFileSchema).max(FILES_MAX).default([]),
  people: z.array(configuredPersonSchema).min(1).max(FILES_MAX).optional(),
  limits: limitsEntrySchema.optional(),
  approvals: approvalsEntrySchema.optional(),
  policy: signedBundleSchema.optional(),
});
export type Configuration = z.infer<typeof configurationSchema>;

const changeListSchema = z.array(z.string());

/** What applying a configuration did, as `kind/name`. */
export const appliedSchema = z.strictObject({
  created: changeListSchema,
  changed: changeListSchema,
  removed: changeListSchema,
  unchanged: z.int().nonnegative(),
  /** What is in no file and stays: agents until they are revoked, limits and approvals until others are applied. */
  unlisted: changeListSchema,
});
export type Applied = z.infer<typeof appliedSchema>;

/** What applying a configuration would do (`POST /v1/apply/plan`). */
export const applyPlanSchema = appliedSchema.extend({
  /** What there is now and nothing of its kind would be left of. */
  emptied: z.array(
    z.strictObject({
      kind: z.enum(['tools', 'limits', 'approval rules']),
      names: z.array(z.string()),
    }),
  ),
});
export type ApplyPlan = z.infer<typeof applyPlanSchema>;

const fileSchemas = {
  tool: toolFileSchema,
  agent: agentFileSchema,
  people: peopleFileSchema,
  limits: limitsFileSchema,
  approvals: approvalsFileSchema,
} as const;

/** Returns the published JSON Schema (2020-12) of each kind of configuration file, by its name. */
export function configurationJsonSchemas(): Record<keyof typeof fileSchemas, object> {
  const published = (schema: z.ZodType): object => z.toJSONSchema(schema, { io: 'input' });
  return {
    tool: published(fileSchemas.tool),
    agent: published(fileSchemas.agent),
    people: published(fileSchemas.people),
    limits: published(fileSchemas.limits),
    approvals: published(fileSchemas.approvals),
  };
}
