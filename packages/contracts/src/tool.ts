import { z } from 'zod';
import { credentialUsesSchema } from './credential-use.ts';
import { egressPolicySchema } from './egress-policy.ts';
import { limits } from './events.ts';
import { headerNameSchema } from './headers.ts';
import { httpTargetSchema } from './http-target.ts';
import { digestSchema, idSchema } from './ids.ts';
import { digestOf, sha256 } from './json.ts';
import { jsonPointerSchema, parseSchema } from './policy.ts';

/** A JSON Schema as a tool declares it; it is checked where it is compiled. */
export const jsonSchemaSchema = z.record(z.string(), z.json());

/** What a tool does to the world, for policy to use. */
export const toolLabelSchema = z.enum([
  'reads-private',
  'returns-untrusted',
  'sends-external',
  'destructive',
  'spends',
  'writes',
]);

/** What a local server with everything it started may take. */
export const localLimits = {
  memoryBytes: { least: 67_108_864, default: 1_073_741_824, most: 68_719_476_736 },
  processes: { least: 1, default: 256, most: 4_096 },
  outputBytes: { least: 1_048_576, default: 67_108_864, most: 4_294_967_296 },
} as const;

function limitSchema({ least, default: usual, most }: { least: number; default: number; most: number }) {
  return z.int().min(least).max(most).default(usual);
}

/** A program that is started as an MCP server. In a tool file, paths are meant from the configuration folder. */
export const localServerSchema = z.strictObject({
  transport: z.literal('stdio'),
  command: z.string().min(1).max(1_024),
  args: z.array(z.string().max(4_096)).max(64).default([]),
  /** Its whole environment besides PATH, HOME, LANG and TMPDIR. */
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/), z.string().max(4_096)).default({}),
  /** Where it starts: a folder below one of `mounts`. Without it, an empty folder of its own. */
  cwd: z.string().min(1).max(4_096).optional(),
  /** The folders and files of the host that it may read, or read and write. */
  mounts: z
    .array(z.strictObject({ path: z.string().min(1).max(4_096), access: z.enum(['ro', 'rw']).default('ro') }))
    .max(32)
    .default([]),
  /** `host` is the network of the host with everything in it; `none` reaches nothing. */
  network: z.enum(['none', 'host']).default('none'),
  limits: z
    .strictObject({
      /** Memory of all its processes together. */
      memoryBytes: limitSchema(localLimits.memoryBytes),
      /** Processes and threads. */
      processes: limitSchema(localLimits.processes),
      /** What it may write for one request, into one file, and into its own folder. */
      outputBytes: limitSchema(localLimits.outputBytes),
    })
    .prefault({}),
  /** How long it may take until it answers: programs that are fetched or compiled first need a minute and more. */
  startMs: z.int().min(1_000).max(600_000).default(60_000),
  /** True when one process may serve every user and tenant. Otherwise each user has one of its own. */
  shared: z.boolean().default(false),
});
export type LocalServerConnection = z.infer<typeof localServerSchema>;

/** How an upstream MCP server is reached. */
export const mcpTransportSchema = z.discriminatedUnion('transport', [
  localServerSchema,
  z.strictObject({
    transport: z.literal('http'),
    url: z.string().max(2_048),
    /** Fixed headers of every request. */
    headers: z.record(headerNameSchema, z.string().max(4_096)).default({}),
    egress: egressPolicySchema,
  }),
]);
export type McpTransport = z.infer<typeof mcpTransportSchema>;

export const mcpTargetSchema = z.strictObject({
  kind: z.literal('mcp'),
  server: idSchema,
  /** The tool's name on the upstream server. */
  name: z.string().max(128),
  connection: mcpTransportSchema,
  /** Digest of the definition that the server gave when the tool was applied. */
  definitionDigest: digestSchema,
  /** Digest of the definition that a person pinned last; applying a tool pins its first definition. */
  pinnedDigest: digestSchema,
  timeoutMs: z.int().min(100).max(limits.claimMs).default(20_000),
});

/** A tool as it is stored: KV bucket `tools`, key = its name. */
export const toolSchema = z.strictObject({
  name: idSchema,
  title: z.string().max(256).optional(),
  description: z.string().max(16_384),
  labels: z.array(toolLabelSchema).max(16).default([]),
  inputSchema: jsonSchemaSchema,
  target: z.discriminatedUnion('kind', [httpTargetSchema, mcpTargetSchema]),
  credential: credentialUsesSchema,
  /** True when the same call twice has the effect of one: it may then be claimed again after a crash. */
  idempotent: z.boolean().default(false),
  /** JSON Pointer to the argument that holds the amount a call spends. */
  spends: jsonPointerSchema.optional(),
  /** What its arguments hold, so that policy gets facts parsed from them. */
  parse: z.array(parseSchema).max(32).default([]),
  /** The environment it acts in, such as `production`. */
  environment: idSchema.optional(),
  claimMs: z.int().min(500).max(limits.claimMs).default(30_000),
  /** Why nobody can call it now: its server could not be asked what the tool is. */
  unavailable: z.strictObject({ reason: z.string().max(4_000) }).optional(),
});
export type Tool = z.infer<typeof toolSchema>;

/** Digest in the place of a definition that was never known. */
export const unknownDefinition = sha256('');

/** Returns a tool's version: the digest of its whole definition. */
export function toolVersionOf(tool: Tool): string {
  return digestOf(tool);
}
