import {
  bundleKey,
  digestSchema,
  Fault,
  type PolicyEntry,
  policyPublishSchema,
  policyRollbackSchema,
} from '@interlock/contracts';
import { z } from 'zod';
import type { Management } from './management.ts';
import { requireEveryTenant } from './people.ts';
import {
  type BundleName,
  checkSignature,
  dropCandidate,
  isWhole,
  knownBundle,
  nextVersion,
  policyState,
  publish,
  readPolicies,
  type StoredPolicies,
} from './policy.ts';
import { parseInput } from './problem.ts';
import type { PersonRequest, Route } from './server.ts';

/** A bundle of 16 MiB in base64, and its signature. */
const BODY_BYTES = 24 * 1_048_576;
const bundleSchema = z.strictObject({ digest: digestSchema });

/** Routes of publishing policy. Only an admin of every tenant may publish; operators and readers may read what is in force. */
export function policyRoutes(management: Management): Route[] {
  return [
    {
      method: 'GET',
      url: '/v1/policy',
      roles: ['operator', 'reader'],
      answer: () => policyState(management),
    },
    {
      method: 'POST',
      url: '/v1/policy',
      roles: [],
      bodyBytes: BODY_BYTES,
      answer: (visit) => management.inTurn(() => publishBundle(management, visit)),
    },
    {
      method: 'POST',
      url: '/v1/policy/rollback',
      roles: [],
      answer: (visit) => management.inTurn(() => rollBack(management, visit)),
    },
    {
      method: 'DELETE',
      url: '/v1/policy/candidate',
      roles: [],
      answer: async ({ person }) => {
        requireEveryTenant(person);
        await management.inTurn(async () =>
          dropCandidate(management, await readPolicies(management), person.person),
        );
        return await policyState(management);
      },
    },
    {
      method: 'GET',
      url: '/v1/policy/bundles/:digest',
      roles: ['operator', 'reader'],
      answer: async ({ person, params }) => {
        // A bundle holds the grants of every tenant.
        requireEveryTenant(person);
        const { digest } = parseInput(bundleSchema, params, 'id_invalid');
        const bytes = await management.bus.blobs('bundles').get(bundleKey(digest));
        if (bytes === undefined) throw new Fault('policy_version_unknown');
        return Buffer.from(bytes);
      },
    },
  ];
}

/** Publishing what is in force already, under a signature that is still valid, changes nothing. */
async function publishBundle(management: Management, { person, body }: PersonRequest) {
  requireEveryTenant(person);
  const { as, reason, ...signed } = parseInput(policyPublishSchema, body);
  const nowMs = management.clock.nowMs();
  const { content, bundle } = knownBundle(signed, management.keyring, nowMs);
  const stored = await readPolicies(management);
  const stands = stored[as]?.digest === bundle.digest && stored.refused.length === 0;
  if (!stands || !(await isWhole(management, stored[as]))) {
    const entry = entryOf(stored, bundle, { nowMs, by: person.person, reason });
    await publish(management, { as, entry, before: stored, content, verb: 'published' });
  }
  return await policyState(management);
}

async function rollBack(management: Management, { person, body }: PersonRequest) {
  requireEveryTenant(person);
  const { to, reason } = parseInput(policyRollbackSchema, body);
  const stored = await readPolicies(management);
  const old = stored.versions.find(({ version }) => version === to);
  if (old === undefined) throw new Fault('policy_version_unknown');
  const nowMs = management.clock.nowMs();
  checkSignature(old, management.keyring, nowMs);
  if (!(await isWhole(management, old))) throw new Fault('policy_version_unknown');
  const { digest, bytes, signature } = old;
  const made = entryOf(stored, { digest, bytes, signature }, { nowMs, by: person.person, reason });
  const entry = { ...made, rollbackOf: old.rollbackOf ?? to };
  await publish(management, { as: 'current', entry, before: stored, verb: 'rolled-back' });
  return await policyState(management);
}

function entryOf(
  stored: StoredPolicies,
  bundle: BundleName,
  { nowMs, by, reason }: { nowMs: number; by: string; reason: string | undefined },
): PolicyEntry {
  return {
    version: nextVersion(stored),
    ...bundle,
    publishedAt: nowMs,
    by,
    ...(reason === undefined ? {} : { reason }),
  };
}
