import { Fault, type PolicyEntry, type Statement, sha256 } from '@interlock/contracts';
import { type AuthorKey, type Keyring, signStatement, verifyStatement } from '@interlock/keys';
import { z } from 'zod';
import { readArchive } from './archive.ts';
import { Policy } from './rego.ts';

/** What `opa build` makes of a hundred rules and a megabyte of data is under 2 MiB. */
export const BUNDLE_MAX_BYTES = 16 * 1_048_576;
/** The local time of each is computed for every call. */
const ZONES_MAX = 32;

/** A policy ready to decide, with its version and digest. */
export interface LoadedPolicy {
  policy: Policy;
  version: number;
  digest: string;
  /** IANA names of the time zones whose local time its rules need: `config.zones` of its data. */
  zones: string[];
}

/** Calls without a caller or a tool: a policy that does not deny each of them would allow anything. */
const canaries: readonly object[] = [
  {},
  { subject: {}, action: {}, tool: {}, arguments: {}, session: {}, context: {} },
  {
    subject: { roles: [] },
    action: { name: 'execute_tool' },
    tool: { labels: [] },
    arguments: {},
    spends: 0,
  },
];

/**
 * Makes a policy of a bundle (the tar.gz of `opa build -t wasm`). Throws `configuration_invalid` unless its bytes are
 * those of the entry, it denies every canary, and its time zones exist. The signature is checked by `verifyBundle`.
 */
export function openBundle(
  { version, digest, bytes: size }: Pick<PolicyEntry, 'version' | 'digest' | 'bytes'>,
  bytes: Uint8Array,
): LoadedPolicy {
  if (bytes.byteLength > BUNDLE_MAX_BYTES) throw refused('is larger than a decider accepts');
  if (bytes.byteLength !== size || sha256(bytes) !== digest)
    throw refused('is not the one that was published');
  const files = readArchive(bytes, ['/policy.wasm', '/data.json']);
  const zones = zonesOf(files['/data.json']);
  const policy = new Policy(files['/policy.wasm'], files['/data.json']);
  for (const canary of canaries) {
    if (verdictOf(policy, canary) !== 'deny') throw refused('allows a call without a caller and a tool');
  }
  return { policy, version, digest, zones };
}

/**
 * Returns the policy of a bundle with other data, to try out what it would decide. It never decides a call.
 * Throws `configuration_invalid`.
 */
export function policyWith(
  bytes: Uint8Array,
  change: (own: Record<string, unknown>) => Record<string, unknown>,
): Policy {
  const files = readArchive(bytes, ['/policy.wasm', '/data.json']);
  const own = z.record(z.string(), z.unknown()).parse(documentOf(files['/data.json']));
  return new Policy(files['/policy.wasm'], Uint8Array.from(Buffer.from(JSON.stringify(change(own)))));
}

/** Signs a bundle as its author: a compact JWS of the statement `bundle`. */
export function signBundle(bytes: Uint8Array, key: AuthorKey['sign'], nowMs: number): string {
  const digest = sha256(bytes);
  return signStatement({ type: 'bundle', digest, bytes: bytes.byteLength, issuedAt: nowMs }, key);
}

/** Verifies that an author signed these very bytes, and returns the statement. Throws `statement_invalid`. */
export function verifyBundle(
  jws: string,
  keyring: Keyring,
  bytes: Uint8Array,
  nowMs: number,
): Statement<'bundle'> {
  const statement = verifyStatement(jws, 'bundle', keyring, nowMs);
  if (statement.bytes !== bytes.byteLength || statement.digest !== sha256(bytes))
    throw new Fault('statement_invalid', { detail: 'The author signed another policy bundle.' });
  return statement;
}

const zonesSchema = z.object({
  config: z.object({ zones: z.array(z.string().refine(isZone)).max(ZONES_MAX).optional() }).optional(),
});

function zonesOf(json: Uint8Array): string[] {
  const parsed = zonesSchema.safeParse(documentOf(json));
  if (parsed.success) return [...new Set(parsed.data.config?.zones)];
  throw refused('names a time zone that does not exist', parsed.error);
}

function documentOf(json: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(json).toString('utf8'));
  } catch (cause) {
    throw refused('has data that is not JSON', cause);
  }
}

function isZone(name: string): boolean {
  try {
    return Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone.length > 0;
  } catch {
    // Intl throws for names it does not know.
    return false;
  }
}

function verdictOf(policy: Policy, canary: object): string {
  try {
    return policy.evaluate(canary).verdict;
  } catch (cause) {
    throw refused('cannot decide', cause);
  }
}

function refused(what: string, cause?: unknown): Fault {
  return new Fault('configuration_invalid', { detail: `The policy bundle ${what}.`, cause });
}
