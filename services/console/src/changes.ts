/**
 * What applying a configuration changes, as a pure comparison.
 *
 * G1. A tool or a person that is not listed is removed; an agent is not, because `interlock agent` makes agents too. Nor
 *     are limits and approvals: without them no call would be decided.
 * G2. A person without a hash keeps the present token; an agent keeps its keys, and its session as long as its user.
 * G3. The pinned definition of an MCP tool stays pinned until a person pins another one.
 * G4. At least one person keeps the role admin in every tenant.
 */
import {
  type AgentEntry,
  type AgentFile,
  type ApplyPlan,
  type ApprovalsEntry,
  type Configuration,
  type ConfiguredPerson,
  digestOf,
  type EntryBucket,
  type EntryValue,
  Fault,
  type LimitsEntry,
  type PersonEntry,
  type PolicyEntry,
  type Tool,
  unknownDefinition,
} from '@interlock/contracts';

/** One entry to be written, or removed where the value is undefined. */
export interface Change<B extends EntryBucket> {
  bucket: B;
  key: string;
  value: EntryValue<B> | undefined;
  kind: string;
  verb: 'created' | 'changed' | 'removed';
  tenant: string;
  name: string;
}
export type AnyChange = { [B in EntryBucket]: Change<B> }[EntryBucket];

/** What the buckets have now. */
export interface StoredConfiguration {
  tools: ReadonlyMap<string, Tool>;
  agents: ReadonlyMap<string, AgentEntry>;
  people: ReadonlyMap<string, PersonEntry>;
  limits: LimitsEntry | undefined;
  approvals: ApprovalsEntry | undefined;
  policy: PolicyEntry | undefined;
}

/** The configuration to apply: its bundle is named by its digest. */
export interface WantedConfiguration extends Omit<Configuration, 'policy'> {
  policy?: Pick<PolicyEntry, 'digest' | 'bytes' | 'signature'> | undefined;
}

export interface ChangeFacts {
  nowMs: number;
  by: string;
  /** The version that the policy gets if it is published. */
  policyVersion: number;
  newSession: () => string;
}

export interface ConfigurationChanges {
  /** In the order in which they are written: those that take rights away come before those that give rights. */
  changes: AnyChange[];
  unchanged: number;
  /** What is stored and not in the configuration, and stays, as `kind/name`. */
  unlisted: string[];
  /** What is stored now, by kinds of which nothing would be left. */
  emptied: ApplyPlan['emptied'];
}

/** Returns the changes that turn the stored configuration into the wanted one. Throws `configuration_invalid`. */
export function compareConfiguration(
  wanted: WantedConfiguration,
  stored: StoredConfiguration,
  facts: ChangeFacts,
): ConfigurationChanges {
  const tools = compareTools(wanted.tools, stored.tools);
  const changes: AnyChange[] = [
    ...tools.filter((change) => change.verb === 'removed'),
    ...comparePolicy(wanted.policy, stored.policy, facts),
    ...compareSetting('limits', wanted.limits, stored.limits),
    ...compareSetting('approvals', wanted.approvals, stored.approvals),
    ...comparePeople(wanted.people, stored.people),
    ...compareAgents(wanted.agents, stored.agents, facts.newSession),
    ...tools.filter((change) => change.verb !== 'removed'),
  ];
  const written = changes.filter((change) => change.verb !== 'removed').length;
  return {
    changes,
    unchanged: countListed(wanted) - written,
    unlisted: unlistedIn(wanted, stored),
    emptied: emptiedBy(wanted, stored),
  };
}

function compareTools(wanted: Tool[], stored: StoredConfiguration['tools']): Change<'tools'>[] {
  const about = (name: string) =>
    ({ bucket: 'tools', key: name, kind: 'tool', tenant: 'all', name }) as const;
  const listed = new Set<string>();
  for (const [index, { name }] of wanted.entries()) {
    if (listed.has(name)) throw invalid(`Two tools have the name ${name}.`, `/tools/${index}`);
    listed.add(name);
  }
  // G1
  const gone = [...stored.keys()].filter((name) => !listed.has(name));
  return [
    ...gone.map((name) => ({ ...about(name), value: undefined, verb: 'removed' as const })),
    ...wanted.flatMap((tool) => {
      const before = stored.get(tool.name);
      return changeTo(about(tool.name), stillPinned(tool, before), before);
    }),
  ];
}

/**
 * G3: returns a tool with the pinned definition, where it is the same tool of the same server. Applying pins the first
 * definition and no later one.
 */
function stillPinned(tool: Tool, before: Tool | undefined): Tool {
  const { target } = tool;
  if (target.kind !== 'mcp' || before?.target.kind !== 'mcp') return tool;
  const { server, name, pinnedDigest } = before.target;
  if (server !== target.server || name !== target.name || pinnedDigest === unknownDefinition) return tool;
  return { ...tool, target: { ...target, pinnedDigest } };
}

function comparePolicy(
  wanted: WantedConfiguration['policy'],
  stored: PolicyEntry | undefined,
  { nowMs, by, policyVersion }: ChangeFacts,
): Change<'policies'>[] {
  if (wanted === undefined || wanted.digest === stored?.digest) return [];
  const value = { ...wanted, version: policyVersion, publishedAt: nowMs, by };
  const about = {
    bucket: 'policies',
    key: 'current',
    kind: 'policy',
    tenant: 'all',
    name: 'current',
  } as const;
  return changeTo(about, value, stored);
}

function compareSetting(
  name: 'limits' | 'approvals',
  wanted: EntryValue<'settings'> | undefined,
  stored: EntryValue<'settings'> | undefined,
): Change<'settings'>[] {
  if (wanted === undefined) return [];
  return changeTo(
    { bucket: 'settings', key: name, kind: 'setting', tenant: 'all', name } as const,
    wanted,
    stored,
  );
}

function comparePeople(
  wanted: ConfiguredPerson[] | undefined,
  stored: StoredConfiguration['people'],
): Change<'people'>[] {
  if (wanted === undefined) return [];
  // G4
  if (!wanted.some(({ roles, tenants }) => roles.includes('admin') && tenants === undefined))
    throw invalid('At least one person must have the role admin in every tenant.', '/people');
  const about = (name: string) =>
    ({ bucket: 'people', key: name, kind: 'person', tenant: 'all', name }) as const;
  const listed = new Set(wanted.map(({ person }) => person));
  if (listed.size < wanted.length) throw invalid('A person is listed twice.', '/people');
  // G1
  const gone = [...stored.keys()].filter((name) => !listed.has(name));
  return [
    ...gone.map((name) => ({ ...about(name), value: undefined, verb: 'removed' as const })),
    ...wanted.flatMap((person, index) => {
      const before = stored.get(person.person);
      // G2
      const tokenHash = person.tokenHash ?? before?.tokenHash;
      if (tokenHash === undefined)
        throw invalid('A new person needs a tokenHash.', `/people/${index}/tokenHash`);
      return changeTo(about(person.person), { ...person, tokenHash }, before);
    }),
  ];
}

function compareAgents(
  wanted: AgentFile[],
  stored: StoredConfiguration['agents'],
  newSession: () => string,
): Change<'agents'>[] {
  const keys = new Set(wanted.map(({ tenant, agent }) => `${tenant}.${agent}`));
  if (keys.size < wanted.length) throw invalid('An agent is listed twice.', '/agents');
  return wanted.flatMap(({ $schema: _schema, ...agent }) => {
    const key = `${agent.tenant}.${agent.agent}`;
    const before = stored.get(key);
    // G2
    const session = before !== undefined && before.user === agent.user ? before.session : newSession();
    const value: AgentEntry = {
      ...agent,
      session,
      keys: before?.keys ?? [],
      ...(before?.createdBy === undefined ? {} : { createdBy: before.createdBy }),
    };
    const about = { bucket: 'agents', key, kind: 'agent', tenant: agent.tenant, name: agent.agent } as const;
    return changeTo(about, value, before);
  });
}

/** Returns the change that writes a value, or none where it is stored already. */
function changeTo<B extends EntryBucket>(
  about: Pick<Change<B>, 'bucket' | 'key' | 'kind' | 'tenant' | 'name'>,
  value: EntryValue<B>,
  before: EntryValue<B> | undefined,
): Change<B>[] {
  if (before === undefined) return [{ ...about, value, verb: 'created' }];
  return digestOf(value) === digestOf(before) ? [] : [{ ...about, value, verb: 'changed' }];
}

function countListed({ tools, agents, people = [], limits, approvals, policy }: WantedConfiguration): number {
  const single = [limits, approvals, policy].filter((value) => value !== undefined);
  return tools.length + agents.length + people.length + single.length;
}

/** Only people cannot be without any: G4. */
function emptiedBy(wanted: WantedConfiguration, stored: StoredConfiguration): ApplyPlan['emptied'] {
  const kinds = [
    { kind: 'tools', now: [...stored.tools.keys()], next: wanted.tools },
    {
      kind: 'limits',
      now: stored.limits?.limits.map(({ name }) => name) ?? [],
      next: (wanted.limits ?? stored.limits)?.limits ?? [],
    },
    {
      kind: 'approval rules',
      now: stored.approvals?.rules.map(({ tool }) => tool) ?? [],
      next: (wanted.approvals ?? stored.approvals)?.rules ?? [],
    },
  ] as const;
  return kinds
    .filter(({ now, next }) => now.length > 0 && next.length === 0)
    .map(({ kind, now }) => ({ kind, names: [...now] }));
}

// G1
function unlistedIn(wanted: WantedConfiguration, stored: StoredConfiguration): string[] {
  const listed = new Set(wanted.agents.map(({ tenant, agent }) => `${tenant}.${agent}`));
  const settings = (['limits', 'approvals'] as const).filter(
    (name) => wanted[name] === undefined && stored[name] !== undefined,
  );
  return [
    ...settings.map((name) => `setting/${name}`),
    ...[...stored.agents.keys()].filter((key) => !listed.has(key)).map((key) => `agent/${key}`),
  ];
}

function invalid(detail: string, pointer: string): Fault {
  return new Fault('configuration_invalid', { detail, pointer });
}
