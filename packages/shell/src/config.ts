import { isIP } from 'node:net';
import { Fault, idSchema, newId } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { z } from 'zod';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Parses `host:port` (an IPv6 host in brackets); port 0 takes a free one. */
export const listenAddressSchema = z
  .string()
  .regex(/^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/, 'expected host:port')
  .transform((text) => {
    const colon = text.lastIndexOf(':');
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
  })
  .refine(({ port }) => port <= 65_535, 'expected a port of at most 65535');

/** Parses a text that must never be printed, such as an address with a password in it. */
export const secretTextSchema = z.string().transform((text) => new Secret(text));

/** One kind for all servers: a list that mixes them would send some of the traffic in clear. */
const natsUrlSchema = z
  .string()
  .regex(
    /^nats:\/\/[^\s,]+(,nats:\/\/[^\s,]+)*$|^tls:\/\/[^\s,]+(,tls:\/\/[^\s,]+)*$/,
    'expected nats://host:port, or tls://name:port for TLS, several of one kind separated by commas',
  )
  .refine((text) => !text.startsWith('tls:') || text.split(',').every(namesHost), {
    message:
      'expected a host name after tls://, not an IP address: the certificate is checked against the name',
  })
  .describe('nats://host:port, several separated by commas');

function namesHost(url: string): boolean {
  const hostname = URL.parse(url.replace(/^tls:/, 'http:'))?.hostname ?? '';
  return hostname !== '' && isIP(hostname.replace(/^\[|\]$/g, '')) === 0;
}

/** The variables every process reads. `OTEL_*` are read by the OpenTelemetry SDK itself. */
export const commonConfigSchema = z
  .object({
    NATS_URL: natsUrlSchema,
    INTERLOCK_NATS_CA_FILE: z.string().optional(),
    INTERLOCK_KEYS: z.string().describe('the folder that holds <service>.json key files'),
    INTERLOCK_KEYRING: z.string().describe('the file with the keyring that the operator signed'),
    INTERLOCK_ROOT_KEY: z
      .string()
      .regex(/^[A-Za-z0-9_-]{43}$/, 'expected a raw Ed25519 public key in base64url (43 characters)')
      .describe("the operator's raw Ed25519 public key in base64url"),
    INTERLOCK_HEALTH_ADDRESS: listenAddressSchema.prefault('127.0.0.1:0'),
    INTERLOCK_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
    INTERLOCK_REPLICA: idSchema.default(() => newId('rep')),
    INTERLOCK_EXIT_WITH_PARENT: z
      .enum(['0', '1'])
      .default('0')
      .transform((flag) => flag === '1'),
    OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: z.url().optional(),
  })
  .refine(
    ({ NATS_URL, INTERLOCK_NATS_CA_FILE: caFile }) => caFile === undefined || NATS_URL.startsWith('tls:'),
    {
      path: ['INTERLOCK_NATS_CA_FILE'],
      message: 'expected only with a NATS_URL of tls://, because nats:// is not encrypted',
    },
  );
export type CommonConfig = z.infer<typeof commonConfigSchema>;

/** Returns the environment of this process. Nothing else in the project reads it. */
export function processEnvironment(): Environment {
  return process.env;
}

/** Sets variables that libraries read by themselves, where the operator left them unset. */
export function setEnvironmentDefaults(defaults: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(defaults)) process.env[name] ||= value;
}

/**
 * Reads a schema's variables from an environment, checks them whole and freezes the result.
 * An empty variable counts as unset; variables that the schema does not name are ignored.
 * Throws `configuration_invalid`, naming each wrong variable and what was expected, never a value.
 */
export function readConfig<C>(schema: z.ZodType<C>, env: Environment): Readonly<C> {
  const shape = shapeOf(schema);
  const set = variableNames(schema).flatMap((name) => {
    const value = env[name];
    return value === undefined || value === '' ? [] : [[name, value] as const];
  });
  const parsed = schema.safeParse(Object.fromEntries(set));
  if (parsed.success) return freeze(parsed.data);
  const isSet = new Set(set.map(([name]) => name));
  const problems = parsed.error.issues.map((issue) => problemText(issue, shape, isSet));
  throw new Fault('configuration_invalid', { detail: `${[...new Set(problems)].join('; ')}.` });
}

/** Returns the names of the variables that a schema reads. */
export function variableNames(schema: z.core.$ZodType): string[] {
  return Object.keys(shapeOf(schema));
}

type Shape = Readonly<Record<string, z.core.$ZodType>>;

function shapeOf(schema: z.core.$ZodType): Shape {
  if (schema instanceof z.ZodPipe) return shapeOf(schema.in);
  if (schema instanceof z.ZodObject) return schema.shape;
  throw new TypeError('A configuration schema must be an object whose keys are environment variables.');
}

function problemText(issue: z.core.$ZodIssue, shape: Shape, isSet: ReadonlySet<string>): string {
  const name = String(issue.path[0] ?? '');
  if (!(name in shape)) return issue.message;
  if (isSet.has(name)) return `${name} is wrong: ${issue.message}`;
  const field = shape[name];
  const expected = field === undefined ? undefined : z.globalRegistry.get(field)?.description;
  return `${name} is not set${expected === undefined ? '' : `: expected ${expected}`}`;
}

/** Freezes the record and the plain lists and records in it; keys, secrets and other objects stay whole. */
function freeze<T>(value: T): Readonly<T> {
  if (typeof value !== 'object' || value === null) return value;
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return value;
  for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}
