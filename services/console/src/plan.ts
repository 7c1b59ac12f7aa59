/**
 * What applying a configuration would change, as a pure comparison.
 *
 * 1. A tool or a person that is not listed is removed; an agent is not, because `interlock agent` makes them too.
 * 2. A person without a hash keeps the token it has; an agent keeps its keys, and its session as long as its user.
 * 3. The definition of an MCP tool that a person agreed to stays the pinned one until a person agrees to another.
 * 4. Somebody who may do everything is always left.
 */
import {
  type AgentEntry,
  type AgentFile,
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

/** What stands in the buckets now. */
export interface Standing {
  tools: ReadonlyMap<string, Tool>;
  agents: ReadonlyMap<string, AgentEntry>;
  people: ReadonlyMap<string, PersonEntry>;
  limits: LimitsEntry | undefined;
  approvals: ApprovalsEntry | undefined;
  policy: PolicyEntry | undefined;
}

/** What is wanted: a configuration whose tools are resolved and whose bundle is known by its digest. */
export interface Wanted extends Omit<Configuration, 'tools' | 'policy'> {
  tools: Tool[];
  policy?: Pick<PolicyEntry, 'digest' | 'bytes' | 'signature'> | undefined;
}

export interface PlanFacts {
  nowMs: number;
  by: string;
  /** The number of the next publishing of a policy. */
  policyVersion: number;
  newSession: () => string;
}

export interface Plan {
  /** In the order in which they are to be written: what takes away comes before what gives. */
  changes: AnyChange[];
  unchanged: number;
  /** Agents that stand in no file. */
  unlisted: string[];
}

/** Returns the changes that make what stands into what is wanted. Throws `configuration_invalid`. */
export function planChanges(wanted: Wanted, standing: Standing, facts: PlanFacts): Plan {
  const tools = compareTools(wanted.tools, standing.tools);
  const changes: AnyChange[] = [
    ...tools.filter((change) => change.verb === 'removed'),
    ...comparePolicy(wanted.policy, standing.policy, facts),
    ...compareSetting('limits', wanted.limits, standing.limits),
    ...compareSetting('approvals', wanted.approvals, standing.approvals),
    ...comparePeople(wanted.people, standing.people),
    ...compareAgents(wanted.agents, standing.agents, facts.newSession),
    ...tools.filter((change) => change.verb !== 'removed'),
  ];
  const written = changes.filter((change) => change.verb !== 'removed').length;
  return { changes, unchanged: countListed(wanted) - written, unlisted: unlistedAgents(wanted, standing) };
}

function compareTools(wanted: Tool[], standing: Standing['tools']): Change<'tools'>[] {
  const about = (name: string) =>
    ({ bucket: 'tools', key: name, kind: 'tool', tenant: 'all', name }) as const;
  const listed = new Set(wanted.map((tool) => tool.name));
  const gone = [...standing.keys()].filter((name) => !listed.has(name));
  return [
    ...gone.map((name) => ({ ...about(name), value: undefined, verb: 'removed' as const })),
    ...wanted.flatMap((tool) => {
      const before = standing.get(tool.name);
      return written(about(tool.name), stillPinned(tool, before), before);
    }),
  ];
}

/**
 * Returns a tool with the definition a person agreed to, where it is the same tool of the same server: applying agrees
 * to a first definition and to no later one.
 */
function stillPinned(tool: Tool, before: Tool | undefined): Tool {
  const { target } = tool;
  if (target.kind !== 'mcp' || before?.target.kind !== 'mcp') return tool;
  const { server, name, pinnedDigest } = before.target;
  if (server !== target.server || name !== target.name) return tool;
  return { ...tool, target: { ...target, pinnedDigest } };
}

function comparePolicy(
  wanted: Wanted['policy'],
  standing: PolicyEntry | undefined,
  { nowMs, by, policyVersion }: PlanFacts,
): Change<'policies'>[] {
  if (wanted === undefined || wanted.digest === standing?.digest) return [];
  const value = { ...wanted, version: policyVersion, publishedAt: nowMs, by };
  const about = {
    bucket: 'policies',
    key: 'current',
    kind: 'policy',
    tenant: 'all',
    name: 'current',
  } as const;
  return written(about, value, standing);
}

function compareSetting(
  name: 'limits' | 'approvals',
  wanted: EntryValue<'settings'> | undefined,
  standing: EntryValue<'settings'> | undefined,
): Change<'settings'>[] {
  if (wanted === undefined) return [];
  return written(
    { bucket: 'settings', key: name, kind: 'setting', tenant: 'all', name } as const,
    wanted,
    standing,
  );
}

function comparePeople(
  wanted: ConfiguredPerson[] | undefined,
  standing: Standing['people'],
): Change<'people'>[] {
  if (wanted === undefined) return [];
  if (!wanted.some(({ roles, tenants }) => roles.includes('admin') && tenants === undefined))
    throw invalid('At least one person must have the role admin in every tenant.', '/people');
  const about = (name: string) =>
    ({ bucket: 'people', key: name, kind: 'person', tenant: 'all', name }) as const;
  const listed = new Set(wanted.map(({ person }) => person));
  if (listed.size < wanted.length) throw invalid('Somebody is listed twice.', '/people');
  const gone = [...standing.keys()].filter((name) => !listed.has(name));
  return [
    ...gone.map((name) => ({ ...about(name), value: undefined, verb: 'removed' as const })),
    ...wanted.flatMap((person, index) => {
      const before = standing.get(person.person);
      const tokenHash = person.tokenHash ?? before?.tokenHash;
      if (tokenHash === undefined)
        throw invalid('Somebody who is new needs a tokenHash.', `/people/${index}/tokenHash`);
      return written(about(person.person), { ...person, tokenHash }, before);
    }),
  ];
}

function compareAgents(
  wanted: AgentFile[],
  standing: Standing['agents'],
  newSession: () => string,
): Change<'agents'>[] {
  const keys = new Set(wanted.map(({ tenant, agent }) => `${tenant}.${agent}`));
  if (keys.size < wanted.length) throw invalid('An agent is listed twice.', '/agents');
  return wanted.flatMap(({ $schema: _schema, ...agent }) => {
    const key = `${agent.tenant}.${agent.agent}`;
    const before = standing.get(key);
    const session = before !== undefined && before.user === agent.user ? before.session : newSession();
    const value: AgentEntry = { ...agent, session, keys: before?.keys ?? [] };
    const about = { bucket: 'agents', key, kind: 'agent', tenant: agent.tenant, name: agent.agent } as const;
    return written(about, value, before);
  });
}

/** Returns the change that writes a value, or none where it stands already. */
function written<B extends EntryBucket>(
  about: Pick<Change<B>, 'bucket' | 'key' | 'kind' | 'tenant' | 'name'>,
  value: EntryValue<B>,
  before: EntryValue<B> | undefined,
): Change<B>[] {
  if (before === undefined) return [{ ...about, value, verb: 'created' }];
  return digestOf(value) === digestOf(before) ? [] : [{ ...about, value, verb: 'changed' }];
}

function countListed({ tools, agents, people = [], limits, approvals, policy }: Wanted): number {
  const single = [limits, approvals, policy].filter((value) => value !== undefined);
  return tools.length + agents.length + people.length + single.length;
}

function unlistedAgents({ agents }: Wanted, standing: Standing): string[] {
  const listed = new Set(agents.map(({ tenant, agent }) => `${tenant}.${agent}`));
  return [...standing.agents.keys()].filter((key) => !listed.has(key));
}

function invalid(detail: string, pointer: string): Fault {
  return new Fault('configuration_invalid', { detail, pointer });
}
