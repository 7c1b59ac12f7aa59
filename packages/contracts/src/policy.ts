/**
 * Policy's input and its answer. Rego reads nothing else: no clock, no network, no parser. What a rule needs to know of the
 * meaning of an argument is under `facts`, parsed before the rule runs.
 */
import { z } from 'zod';
import { digestSchema, idSchema, instantMsSchema } from './ids.ts';
import { parsedJsonSchema } from './json.ts';
import { obligationSchema } from './statements.ts';

const JSON_POINTER = /^(\/([^~/]|~[01])*)*$/;
/** RFC 6901; the empty pointer is the whole document. */
export const jsonPointerSchema = z.string().max(1_024).regex(JSON_POINTER, 'must be a JSON Pointer');

/** SQL dialects that have a parser. */
export const sqlDialectSchema = z.enum(['postgresql', 'mysql', 'sqlite']);
export type SqlDialect = z.infer<typeof sqlDialectSchema>;

/** What an argument holds, so that it is parsed into facts. Where `at` points to an array, each of its strings is parsed. */
export const parseSchema = z.discriminatedUnion('as', [
  z.strictObject({ at: jsonPointerSchema, as: z.literal('sql'), dialect: sqlDialectSchema }),
  z.strictObject({ at: jsonPointerSchema, as: z.literal('shell') }),
  z.strictObject({ at: jsonPointerSchema, as: z.literal('path') }),
  z.strictObject({ at: jsonPointerSchema, as: z.literal('url') }),
  z.strictObject({ at: jsonPointerSchema, as: z.literal('recipients') }),
]);
export type Parse = z.infer<typeof parseSchema>;

/** What a parser could not read: rules treat it as the worst case. */
const unreadable = { at: jsonPointerSchema, readable: z.literal(false) };
const readable = { at: jsonPointerSchema, readable: z.literal(true) };
const text = z.string().max(4_096);
const FACTS_MAX = 256;

function fact<T extends z.ZodRawShape>(shape: T) {
  return z
    .array(z.union([z.strictObject({ ...readable, ...shape }), z.strictObject(unreadable)]))
    .max(FACTS_MAX);
}

/** One SQL statement of an argument. `kind` is its leading verb in lower case: `select`, `update`, `drop` … */
export const sqlStatementSchema = z.strictObject({
  kind: z.string().max(64),
  /**
   * What it and everything inside it does, its own kind first: a `with` that deletes adds `delete`, an upsert `update`,
   * `select … into` `create` or `into`. `call` stands for a function of which it is not known that it changes nothing.
   */
  kinds: z.array(z.string().max(64)).max(64).default([]),
  /** True when neither it nor anything inside it (a data-modifying CTE, a function that writes) changes anything, as far as the parser can tell. */
  readOnly: z.boolean(),
  /** The tables it names, as written, `schema.table` where a schema is given; a name with a dot in it is quoted. */
  tables: z.array(text).max(FACTS_MAX),
  /** Functions it calls, lower case; one that is quoted because of its capital letters is quoted here, too. */
  functions: z.array(text).max(FACTS_MAX),
  /** Whether a condition limits the rows of every update and delete in it. Absent where there is none. */
  conditioned: z.boolean().optional(),
});

/** Facts of a call's arguments and target, each list in the order of the tool's `parse`. */
export const factsSchema = z.strictObject({
  sql: fact({ dialect: sqlDialectSchema, statements: z.array(sqlStatementSchema).max(64) }).default([]),
  shell: fact({
    /**
     * Simple commands in order, also those inside pipes, lists and substitutions, each followed by what it starts itself
     * (`env`, `find -exec`, `sh -c` …). A name that is not a literal is null.
     */
    commands: z
      .array(z.strictObject({ name: text.nullable(), arguments: z.array(text.nullable()).max(FACTS_MAX) }))
      .max(64),
    /** What it uses besides simple commands. */
    features: z.array(
      z.enum([
        'list',
        'pipe',
        'background',
        'redirect',
        'substitution',
        'expansion',
        'glob',
        'assignment',
        'compound',
      ]),
    ),
  }).default([]),
  paths: fact({
    path: text,
    /** POSIX-normalised: `a/./b/../c` is `a/c`. */
    normalized: text,
    absolute: z.boolean(),
    /** True when a `..` is among its segments, plain, percent-encoded or with backslashes. */
    traverses: z.boolean(),
    /** Segments of the normalised path. */
    segments: z.array(text).max(FACTS_MAX),
  }).default([]),
  recipients: fact({
    address: text,
    local: text,
    /** Lower case, ASCII (RFC 5891). */
    domain: text,
  }).default([]),
  /** Where the call would send to: its tool's own target, and every URL in its arguments. */
  destinations: z
    .array(
      z.union([
        z.strictObject({
          /** Where the URL stands in the arguments; absent for the tool's own target. */
          at: jsonPointerSchema.optional(),
          readable: z.literal(true),
          /** `https://host:port`, without the default port. */
          origin: z.string().max(1_024),
          host: z.string().max(256),
          scheme: z.string().max(32),
          method: z.string().max(16).optional(),
          /** True when text that the caller chose would be sent there: a query, a body, a path segment, credentials, a fragment. */
          carries: z.boolean(),
          /** True until an allowed call of this session had this origin. */
          firstUse: z.boolean(),
        }),
        z.strictObject(unreadable),
      ]),
    )
    .max(FACTS_MAX)
    .default([]),
});
export type PolicyFacts = z.infer<typeof factsSchema>;

/** Policy's input about a call; `policies/README.md` describes it for authors of rules. */
export const policyInputSchema = z.strictObject({
  subject: z.strictObject({
    agent: idSchema,
    user: idSchema,
    tenant: idSchema,
    roles: z.array(idSchema),
    /** How the agent was authenticated. */
    proof: z.enum(['api_key', 'enforcement_point']),
    /** The environment the agent is registered for. */
    environment: idSchema.optional(),
  }),
  action: z.strictObject({ name: z.literal('execute_tool') }),
  tool: z.strictObject({
    name: idSchema,
    version: digestSchema,
    labels: z.array(z.string()),
    /** The environment the tool acts in. */
    environment: idSchema.optional(),
    /** True until an allowed call of this session used the tool. */
    firstUse: z.boolean(),
    /** Tools of an MCP server: the definition a person pinned, and the one the server gave last. */
    definition: z.strictObject({ pinned: digestSchema, current: digestSchema }).optional(),
  }),
  arguments: z.record(z.string(), parsedJsonSchema),
  facts: factsSchema,
  session: z.strictObject({ id: idSchema, labels: z.array(idSchema), openedAt: instantMsSchema }),
  history: z.strictObject({
    /** Questions about this tool that a person denied in the last day, oldest first; `same` when the arguments are equal. */
    denied: z.array(z.strictObject({ at: instantMsSchema, same: z.boolean() })).max(64),
  }),
  context: z.strictObject({
    time: z.iso.datetime(),
    epochMs: instantMsSchema,
    /** The wall clock in each zone that the policy's data names under `config.zones`. */
    local: z.record(
      z.string(),
      z.strictObject({
        /** `2026-11-21`. */
        date: z.iso.date(),
        /** ISO 8601: Monday is 1. */
        weekday: z.int().min(1).max(7),
        minuteOfDay: z.int().min(0).max(1_439),
      }),
    ),
    purpose: z.string().optional(),
    door: z.enum(['executor', 'proxy', 'authzen']),
    /** The name of the environment that this installation runs in. */
    environment: idSchema,
    /** The network address the request came from. */
    origin: z.strictObject({ address: z.string().max(64) }).optional(),
  }),
  /** A person approved exactly this call. */
  approval: z.strictObject({ person: idSchema, resolvedAt: instantMsSchema }).optional(),
  /** A person broke the glass for this agent and tool. */
  emergency: z
    .strictObject({ id: idSchema, by: idSchema, reason: z.string(), expiresAt: instantMsSchema })
    .optional(),
  /** The amount the call spends, where its tool names the argument that holds it and that argument is a number. */
  spends: z.number().optional(),
});
export type PolicyInput = z.infer<typeof policyInputSchema>;

/** A reason for a verdict, in a text that the agent may see. */
export const reasonSchema = z.strictObject({ rule: z.string().max(128), text: z.string().max(1_000) });
const reasonsSchema = z.array(reasonSchema).max(64);

/** Policy's answer about a call: entrypoint `interlock/main/decision`. */
export const policyAnswerSchema = z.strictObject({
  verdict: z.enum(['allow', 'ask', 'deny']),
  reasons: reasonsSchema,
  obligations: z.array(obligationSchema).max(32),
  /** For the audit trail only: the agent never sees them. */
  notes: reasonsSchema,
});
export type PolicyAnswer = z.infer<typeof policyAnswerSchema>;
export type Verdict = PolicyAnswer['verdict'];

/** What every rule returned, also where the verdict did not use it: entrypoint `interlock/main/explanation`. */
export const policyExplanationSchema = z.strictObject({
  deny: reasonsSchema,
  ask: reasonsSchema,
  allow: reasonsSchema,
  notes: reasonsSchema,
  /** When a denial ends by itself, by the rule that denies. */
  until: reasonsSchema.default([]),
  /** What would allow some call of this agent to this tool, whatever the arguments. */
  offers: reasonsSchema.default([]),
  /** What denies every call of this agent to this tool, whatever the arguments. */
  withholds: reasonsSchema.default([]),
});
export type PolicyExplanation = z.infer<typeof policyExplanationSchema>;
