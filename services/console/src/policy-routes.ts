import {
  bundleKey,
  digestSchema,
  Fault,
  type PolicyEntry,
  policyPublishSchema,
  policyRollbackSchema,
} from '@interlock/contracts';
import { z } from 'zod';
import type { Route, Visit } from './door.ts';
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
  type StandingPolicies,
  standingPolicies,
} from './policy.ts';
import { parseInput } from './problem.ts';

/** A bundle of 16 MiB in base64, and its signature. */
const BODY_BYTES = 24 * 1_048_576;
const bundleSchema = z.strictObject({ digest: digestSchema });

/** Routes of publishing policy. Whoever may decide for every tenant publishes; what is in force is no secret of theirs. */
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
          dropCandidate(management, await standingPolicies(management), person.person),
        );
        return await policyState(management);
      },
    },
    {
      method: 'GET',
      url: '/v1/policy/bundles/:digest',
      roles: ['operator', 'reader'],
      answer: async ({ params }) => {
        const { digest } = parseInput(bundleSchema, params, 'id_invalid');
        const bytes = await management.bus.blobs('bundles').get(bundleKey(digest));
        if (bytes === undefined) throw new Fault('policy_version_unknown');
        return Buffer.from(bytes);
      },
    },
  ];
}

/** Publishing what is published already, under a signature that still holds, changes nothing. */
async function publishBundle(management: Management, { person, body }: Visit) {
  requireEveryTenant(person);
  const { as, reason, ...signed } = parseInput(policyPublishSchema, body);
  const nowMs = management.clock.nowMs();
  const { content, bundle } = knownBundle(signed, management.keyring, nowMs);
  const standing = await standingPolicies(management);
  const stands = standing[as]?.digest === bundle.digest && standing.refused.length === 0;
  if (!stands || !(await isWhole(management, standing[as]))) {
    const entry = entryOf(standing, bundle, { nowMs, by: person.person, reason });
    await publish(management, { as, entry, before: standing, content, verb: 'published' });
  }
  return await policyState(management);
}

async function rollBack(management: Management, { person, body }: Visit) {
  requireEveryTenant(person);
  const { to, reason } = parseInput(policyRollbackSchema, body);
  const standing = await standingPolicies(management);
  const old = standing.versions.find(({ version }) => version === to);
  if (old === undefined) throw new Fault('policy_version_unknown');
  const nowMs = management.clock.nowMs();
  checkSignature(old, management.keyring, nowMs);
  if (!(await isWhole(management, old))) throw new Fault('policy_version_unknown');
  const { digest, bytes, signature } = old;
  const made = entryOf(standing, { digest, bytes, signature }, { nowMs, by: person.person, reason });
  const entry = { ...made, rollbackOf: old.rollbackOf ?? to };
  await publish(management, { as: 'current', entry, before: standing, verb: 'rolled-back' });
  return await policyState(management);
}

function entryOf(
  standing: StandingPolicies,
  bundle: BundleName,
  { nowMs, by, reason }: { nowMs: number; by: string; reason: string | undefined },
): PolicyEntry {
  return {
    version: nextVersion(standing),
    ...bundle,
    publishedAt: nowMs,
    by,
    ...(reason === undefined ? {} : { reason }),
  };
}
