import { z } from 'zod';
import { digestSchema, idSchema, instantMsSchema, timeZoneSchema } from './ids.ts';
import { signedSchema } from './statements.ts';
import { toolSchema } from './tool.ts';

/** An agent: KV bucket `agents`, key = `<tenant>.<agent>`. */
export const agentEntrySchema = z.strictObject({
  tenant: idSchema,
  agent: idSchema,
  /** The user this agent acts for. */
  user: idSchema,
  roles: z.array(idSchema).max(32).default([]),
  /** The environment it runs in, such as `staging`. */
  environment: idSchema.optional(),
  /** The one session of an API key. */
  session: idSchema,
  keys: z
    .array(
      z.strictObject({
        keyId: idSchema,
        /** SHA-256 of the key: keys are 256 random bits, so a fast hash is enough. */
        hash: digestSchema,
        createdAt: instantMsSchema,
        notAfter: instantMsSchema,
        /** Who made the key and so may hold it. */
        by: idSchema.optional(),
      }),
    )
    .max(16),
  /** Who made the agent, where no configuration did. */
  createdBy: idSchema.optional(),
  caps: z
    .strictObject({
      ratePerSecond: z.number().positive().max(100_000),
      burst: z.int().positive().max(100_000),
      inFlight: z.int().positive().max(10_000),
      /** Bytes of arguments in an hour; absent: 64 MiB. */
      bytesPerHour: z
        .int()
        .min(1_048_576)
        .max(1_099_511_627_776)
        .optional()
        .meta({ description: 'Bytes of arguments that the agent may send in an hour; 64 MiB where absent.' }),
    })
    .default({ ratePerSecond: 50, burst: 100, inFlight: 32 }),
});
export type AgentEntry = z.infer<typeof agentEntrySchema>;

export const personRoleSchema = idSchema.meta({
  description:
    '`admin` may do everything, `operator` may use kill switches and read, `approver` may answer questions; other roles are your own.',
});

/** A person: KV bucket `people`, key = the person's id. */
export const personEntrySchema = z.strictObject({
  person: idSchema,
  name: z.string().max(128).optional(),
  roles: z.array(personRoleSchema).max(16),
  /** Tenants the person may act in; absent means all. */
  tenants: z.array(idSchema).max(64).optional(),
  /** SHA-256 of the person's token. */
  tokenHash: digestSchema,
});
export type PersonEntry = z.infer<typeof personEntrySchema>;

const dimensionSchema = z.enum(['tenant', 'agent', 'user', 'session', 'tool']);

/** One limit. It counts separately for each combination of `per`, and applies where all of `match` are equal. */
export const limitSchema = z
  .strictObject({
    name: idSchema,
    per: z.array(dimensionSchema).min(1).max(5),
    match: z
      .strictObject({ tenant: idSchema, agent: idSchema, user: idSchema, tool: idSchema })
      .partial()
      .default({}),
    rate: z
      .strictObject({ calls: z.int().positive(), windowMs: z.int().min(100).max(86_400_000) })
      .optional(),
    concurrency: z.int().positive().max(10_000).optional(),
    spend: z
      .union([
        z.strictObject({
          amount: z.number().positive(),
          windowMs: z
            .int()
            .min(1_000)
            .max(31 * 86_400_000),
        }),
        /** For a day of the calendar: it begins at midnight in this time zone. */
        z.strictObject({ amount: z.number().positive(), day: timeZoneSchema }),
      ])
      .optional(),
  })
  .refine(
    (limit) => limit.rate !== undefined || limit.concurrency !== undefined || limit.spend !== undefined,
    'must set rate, concurrency or spend',
  );
export type Limit = z.infer<typeof limitSchema>;

/** KV bucket `settings`, key `limits`. */
export const limitsEntrySchema = z.strictObject({
  limits: z
    .array(limitSchema)
    .max(256)
    // A counter belongs to the limit's name: two limits with one name would share it.
    .refine(
      (limits) => new Set(limits.map(({ name }) => name)).size === limits.length,
      'must have distinct names',
    ),
});
export type LimitsEntry = z.infer<typeof limitsEntrySchema>;

/** KV bucket `settings`, key `approvals`: who is asked, and how long a question stays open. */
export const approvalsEntrySchema = z.strictObject({
  /** Any of these roles may answer, unless a rule below or an obligation names others. */
  roles: z.array(idSchema).min(1).max(16).default(['approver']),
  expiresMs: z
    .int()
    .min(1_000)
    .max(7 * 86_400_000)
    .default(900_000),
  /** True when the person an agent acts for may not answer for its calls. */
  separateDuties: z.boolean().default(false),
  /** True when nobody may open an emergency for an agent that acts for him, that he made or whose key he made. */
  emergencies: z.strictObject({ separateDuties: z.boolean().default(true) }).prefault({}),
  rules: z
    .array(
      z.strictObject({
        tool: idSchema,
        roles: z.array(idSchema).min(1).max(16).optional(),
        expiresMs: z
          .int()
          .min(1_000)
          .max(7 * 86_400_000)
          .optional(),
        separateDuties: z.boolean().optional(),
      }),
    )
    .max(256)
    .default([]),
});
export type ApprovalsEntry = z.infer<typeof approvalsEntrySchema>;

/** A credential at rest: KV bucket `credentials`, key = its name. Only the broker holds the key-encryption key. */
export const credentialEntrySchema = z.strictObject({
  name: idSchema,
  /** AES-256-GCM under the key-encryption key `kekId`, with the name as additional data. */
  kekId: idSchema,
  nonce: z.base64url(),
  ciphertext: z.base64url(),
  setAt: instantMsSchema,
});
export type CredentialEntry = z.infer<typeof credentialEntrySchema>;

/** One kill switch: KV bucket `switches`; see `switchKey`. */
export const switchEntrySchema = z.strictObject({
  on: z.boolean(),
  by: idSchema,
  reason: z.string().max(1_000).optional(),
  at: instantMsSchema,
});
export type SwitchEntry = z.infer<typeof switchEntrySchema>;

/** What a kill switch stops. */
export type SwitchTarget =
  | { kind: 'all' }
  | { kind: 'tenant'; tenant: string }
  | { kind: 'agent'; tenant: string; agent: string }
  | { kind: 'tool'; tool: string }
  | { kind: 'credential'; credential: string };

/** Returns the key of a kill switch in its bucket. */
export function switchKey(target: SwitchTarget): string {
  switch (target.kind) {
    case 'all':
      return 'all';
    case 'tenant':
      return `tenant.${target.tenant}`;
    case 'agent':
      return `agent.${target.tenant}.${target.agent}`;
    case 'tool':
      return `tool.${target.tool}`;
    case 'credential':
      return `credential.${target.credential}`;
    default:
      return target satisfies never;
  }
}

/** Returns the keys of every switch that would stop a call. */
export function switchKeysOf(call: {
  tenant: string;
  agent: string;
  tool: string;
  credentials?: readonly string[];
}): string[] {
  const { tenant, agent, tool, credentials = [] } = call;
  const keys = [
    switchKey({ kind: 'all' }),
    switchKey({ kind: 'tenant', tenant }),
    switchKey({ kind: 'agent', tenant, agent }),
    switchKey({ kind: 'tool', tool }),
  ];
  return [...keys, ...credentials.map((credential) => switchKey({ kind: 'credential', credential }))];
}

/**
 * A published policy bundle: KV bucket `policies`. Key `current` decides; key `candidate` decides beside it without
 * effect; `v-<version>` keeps each version that was ever current. The bytes are in `bundles`, under their digest
 * (docs/decisions/012).
 */
export const policyEntrySchema = z.strictObject({
  /** Grows with every publication; a rollback is a new version of old content. */
  version: z.int().positive(),
  digest: digestSchema,
  bytes: z.int().positive(),
  /** The author's signed statement `bundle`. */
  signature: signedSchema,
  publishedAt: instantMsSchema,
  by: idSchema,
  reason: z.string().max(1_000).optional(),
  /** The earlier version that has the same content. */
  rollbackOf: z.int().positive().optional(),
});
export type PolicyEntry = z.infer<typeof policyEntrySchema>;

/** Returns the key of a bundle's bytes in the bucket `bundles`. */
export function bundleKey(digest: string): string {
  return `bundle-${digest}`;
}

/** A person's label on a recorded call: KV bucket `labels`, key = `<tenant>.<call>`. */
export const callLabelEntrySchema = z.strictObject({
  tenant: idSchema,
  call: idSchema,
  /** `good`: the call should be allowed. `bad`: it should not. */
  label: z.enum(['good', 'bad']),
  by: idSchema,
  at: instantMsSchema,
  note: z.string().max(1_000).optional(),
});
export type CallLabelEntry = z.infer<typeof callLabelEntrySchema>;

/** A break-glass of one person for one agent: KV bucket `emergencies`, key = `<tenant>.<agent>`. */
export const emergencyEntrySchema = z.strictObject({
  id: idSchema,
  tenant: idSchema,
  agent: idSchema,
  /** Tools it covers; `*` for all. */
  tools: z
    .array(z.union([idSchema, z.literal('*')]))
    .min(1)
    .max(64),
  by: idSchema,
  reason: z.string().min(1).max(1_000),
  openedAt: instantMsSchema,
  /** At most four hours after it was opened. */
  expiresAt: instantMsSchema,
});
export type EmergencyEntry = z.infer<typeof emergencyEntrySchema>;

/** The schema of each signed entry's value, by bucket. A bucket with several kinds of entries lists them by key. */
export const entrySchemas = {
  tools: toolSchema,
  agents: agentEntrySchema,
  people: personEntrySchema,
  credentials: credentialEntrySchema,
  switches: switchEntrySchema,
  policies: policyEntrySchema,
  labels: callLabelEntrySchema,
  emergencies: emergencyEntrySchema,
  settings: z.union([limitsEntrySchema, approvalsEntrySchema]),
} as const;
export type EntryBucket = keyof typeof entrySchemas;
export type EntryValue<B extends EntryBucket> = z.infer<(typeof entrySchemas)[B]>;

/** What the decider remembers of a session: KV bucket `sessions`, key = `<tenant>.<session>`. */
export const sessionSchema = z.strictObject({
  tenant: idSchema,
  session: idSchema,
  agent: idSchema,
  user: idSchema,
  openedAt: instantMsSchema,
  labels: z.array(idSchema).max(64),
  /** What the session's allowed calls used. A full list takes no more: what is not in it counts as a first use each time. */
  used: z
    .strictObject({
      tools: z.array(idSchema).max(512),
      /** Origins. */
      destinations: z.array(z.string().max(1_024)).max(512),
    })
    .default({ tools: [], destinations: [] }),
  /** Questions that a person denied, oldest first; a full list drops the oldest. */
  denied: z
    .array(z.strictObject({ at: instantMsSchema, tool: idSchema, argumentsDigest: digestSchema }))
    .max(64)
    .default([]),
});
export type Session = z.infer<typeof sessionSchema>;
