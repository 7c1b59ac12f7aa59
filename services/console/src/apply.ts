import type { Buckets } from '@interlock/bus';
import {
  type Applied,
  type ApplyPlan,
  type Configuration,
  configurationSchema,
  type EntryBucket,
  Fault,
  newId,
  type PolicyEntry,
} from '@interlock/contracts';
import {
  type AnyChange,
  type Change,
  type ConfigurationChanges,
  compareConfiguration,
  type StoredConfiguration,
} from './changes.ts';
import type { Management } from './management.ts';
import { requireEveryTenant } from './people.ts';
import { isWhole, knownBundle, nextVersion, publish, readPolicies, type StoredPolicies } from './policy.ts';
import { faultOf, parseInput } from './problem.ts';
import type { Route } from './server.ts';
import { readSettings } from './settings.ts';
import { writeEntry } from './write-entry.ts';

/** A whole configuration: the policy bundle is the bulk of it. */
const BODY_BYTES = 24 * 1_048_576;

/** The routes that apply a whole configuration, and that say what applying it would change. Applying it again changes nothing. */
export function applyRoutes(management: Management): Route[] {
  return [
    {
      method: 'POST',
      url: '/v1/apply',
      roles: [],
      bodyBytes: BODY_BYTES,
      answer: async ({ person, body }) => {
        requireEveryTenant(person);
        const configuration = parseInput(configurationSchema, body);
        return await management.inTurn(() => apply(management, configuration, person.person));
      },
    },
    {
      method: 'POST',
      url: '/v1/apply/plan',
      roles: [],
      bodyBytes: BODY_BYTES,
      answer: async ({ person, body }) => {
        requireEveryTenant(person);
        const configuration = parseInput(configurationSchema, body);
        return planned((await plan(management, configuration, person.person)).changes);
      },
    },
  ];
}

async function apply(management: Management, configuration: Configuration, by: string): Promise<Applied> {
  const { changes, policy } = await plan(management, configuration, by);
  await carryOut(management, changes, policy, by);
  return appliedOf(changes);
}

/** A bundle to be published, and what is published before it. */
interface NextPolicy {
  content: Uint8Array;
  stored: StoredPolicies;
}

/** Everything is checked before the first entry is written. */
async function plan(
  management: Management,
  configuration: Configuration,
  by: string,
): Promise<{ changes: ConfigurationChanges; policy: NextPolicy | undefined }> {
  const { bus, clock, keyring } = management;
  const nowMs = clock.nowMs();
  const policy =
    configuration.policy === undefined ? undefined : knownBundle(configuration.policy, keyring, nowMs);
  const stored = await readPolicies(management);
  const whole = (await isWhole(management, stored.current)) ? stored.current : undefined;
  const facts = { nowMs, by, policyVersion: nextVersion(stored), newSession: () => newId('ses') };
  const wanted = { ...configuration, policy: policy?.bundle };
  const changes = compareConfiguration(wanted, await readStored(bus, whole), facts);
  return { changes, policy: policy === undefined ? undefined : { content: policy.content, stored } };
}

async function carryOut(
  management: Management,
  { changes }: ConfigurationChanges,
  policy: NextPolicy | undefined,
  by: string,
): Promise<void> {
  const done: string[] = [];
  for (const change of changes) {
    try {
      if (change.bucket === 'policies' && change.value !== undefined && policy !== undefined)
        await publish(management, {
          as: 'current',
          entry: change.value,
          before: policy.stored,
          content: policy.content,
          verb: change.verb,
        });
      else await carryOutOne(management, change, by);
      done.push(nameOf(change));
    } catch (error) {
      const fault = faultOf(error);
      const written =
        done.length === 0
          ? 'Nothing was changed before that.'
          : `These changes were written before: ${done.join(', ')}.`;
      throw new Fault(fault.code, {
        detail: `Writing ${nameOf(change)} failed: ${fault.detail} ${written}`,
        next: 'Apply the same configuration again: that writes the rest.',
        cause: error,
      });
    }
  }
}

async function carryOutOne<B extends EntryBucket>(
  management: Management,
  change: Change<B>,
  by: string,
): Promise<void> {
  const { bucket, key, value, kind, verb, tenant, name } = change;
  await writeEntry(management, { bucket, key, value }, { kind, verb, tenant, name, by });
}

async function readStored(bus: Buckets, policy: PolicyEntry | undefined): Promise<StoredConfiguration> {
  const [tools, agents, people, settings] = await Promise.all([
    bus.entries('tools').list(),
    bus.entries('agents').list(),
    bus.entries('people').list(),
    readSettings(bus),
  ]);
  return {
    tools: new Map(tools.map(({ key, value }) => [key, value])),
    agents: new Map(agents.map(({ key, value }) => [key, value])),
    people: new Map(people.map(({ key, value }) => [key, value])),
    limits: settings.limits,
    approvals: settings.approvals,
    policy,
  };
}

function appliedOf({ changes, unchanged, unlisted }: ConfigurationChanges): Applied {
  const named = (verb: AnyChange['verb']) => changes.filter((change) => change.verb === verb).map(nameOf);
  return {
    created: named('created'),
    changed: named('changed'),
    removed: named('removed'),
    unchanged,
    unlisted,
  };
}

function planned(changes: ConfigurationChanges): ApplyPlan {
  return { ...appliedOf(changes), emptied: changes.emptied };
}

function nameOf({ kind, key }: AnyChange): string {
  return `${kind}/${key}`;
}
