import {
  type AgentFile,
  localServerSchema,
  type PersonEntry,
  type Tool,
  toolSchema,
} from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { compareConfiguration, type StoredConfiguration, type WantedConfiguration } from './changes.ts';
import { pinnedTools } from './discover.ts';

const HASH = 'a'.repeat(64);
const facts = { nowMs: 1_000, by: 'alice', policyVersion: 5, newSession: () => 'ses_new' };
const nothing: StoredConfiguration = {
  tools: new Map(),
  agents: new Map(),
  people: new Map(),
  limits: undefined,
  approvals: undefined,
  policy: undefined,
};
const alice: PersonEntry = { person: 'alice', roles: ['admin'], tokenHash: HASH };
const helper: AgentFile = {
  tenant: 'acme',
  agent: 'helper',
  user: 'ada',
  roles: [],
  caps: { ratePerSecond: 1, burst: 1, inFlight: 1 },
};

function tool(name: string, description = 'Reads a note.'): Tool {
  const http = {
    kind: 'http',
    method: 'GET',
    url: 'https://notes.example/',
    egress: { allow: ['notes.example'] },
  };
  return toolSchema.parse({ name, description, inputSchema: {}, target: http });
}

function wanted(changes: Partial<WantedConfiguration> = {}): WantedConfiguration {
  return { tools: [], agents: [], ...changes };
}

function summaryOf(plan: ReturnType<typeof compareConfiguration>): string[] {
  return plan.changes.map(({ verb, kind, key }) => `${verb} ${kind}/${key}`);
}

describe('applying a configuration', () => {
  test('refuses to leave nobody with the role admin in every tenant', () => {
    const people = [{ ...alice, roles: ['reader'] }];
    expect(() => compareConfiguration(wanted({ people }), nothing, facts)).toThrow(
      expect.objectContaining({ code: 'configuration_invalid', pointer: '/people' }),
    );
  });

  test('refuses a new person without a token', () => {
    const people = [alice, { person: 'bob', roles: ['approver'] }];
    expect(() => compareConfiguration(wanted({ people }), nothing, facts)).toThrow(
      expect.objectContaining({ pointer: '/people/1/tokenHash' }),
    );
  });

  test('keeps the token of a person whose file names none', () => {
    const stored = { ...nothing, people: new Map([['alice', alice]]) };
    const people = [{ person: 'alice', roles: ['admin', 'approver'] }];
    const [change] = compareConfiguration(wanted({ people }), stored, facts).changes;
    expect(change).toMatchObject({ verb: 'changed', value: { tokenHash: HASH } });
  });

  test('removes a tool that is not listed before anything else is written', () => {
    const stored = { ...nothing, tools: new Map([['old', tool('old')]]) };
    expect(
      summaryOf(compareConfiguration(wanted({ tools: [tool('new')], agents: [helper] }), stored, facts)),
    ).toEqual(['removed tool/old', 'created agent/acme.helper', 'created tool/new']);
  });

  test('writes nothing when it is applied again', () => {
    const stored = {
      ...nothing,
      tools: new Map([['note', tool('note')]]),
      people: new Map([['alice', alice]]),
    };
    const plan = compareConfiguration(wanted({ tools: [tool('note')], people: [alice] }), stored, facts);
    expect(plan).toEqual({ changes: [], unchanged: 2, unlisted: [] });
  });

  test('an agent that no file lists stays, and is named', () => {
    const entry = { ...helper, session: 'ses_1', keys: [] };
    const plan = compareConfiguration(
      wanted(),
      { ...nothing, agents: new Map([['acme.helper', entry]]) },
      facts,
    );
    expect(plan).toEqual({ changes: [], unchanged: 0, unlisted: ['acme.helper'] });
  });

  test('an agent keeps its keys, and gets a new session with another user', () => {
    const keys = [{ keyId: 'key_1', hash: HASH, createdAt: 1, notAfter: 2 }];
    const agents = new Map([['acme.helper', { ...helper, session: 'ses_1', keys }]]);
    const [change] = compareConfiguration(
      wanted({ agents: [{ ...helper, user: 'eve' }] }),
      { ...nothing, agents },
      facts,
    ).changes;
    expect(change).toMatchObject({ verb: 'changed', value: { keys, session: 'ses_new', user: 'eve' } });
  });

  test('a policy bundle is published under the next version, and only if it is a new one', () => {
    const bundle = { digest: HASH, bytes: 10, signature: 'by the author' };
    const policy = { ...bundle, version: 4, publishedAt: 1, by: 'alice' };
    const stored = { ...nothing, policy };
    expect(compareConfiguration(wanted({ policy: bundle }), stored, facts).changes).toEqual([]);
    const other = { digest: 'b'.repeat(64), bytes: 12, signature: 'by the author' };
    expect(compareConfiguration(wanted({ policy: other }), stored, facts).changes[0]?.value).toMatchObject({
      version: 5,
    });
  });
});

describe('tools of an MCP server', () => {
  const use = { labels: [], parse: [], idempotent: false, claimMs: 30_000 };
  const server = {
    server: 'files',
    connection: localServerSchema.parse({ transport: 'stdio', command: 'files' }),
    prefix: 'files_',
    credential: [],
    timeoutMs: 20_000,
  };
  const offered = { name: 'read', description: 'Reads.', inputSchema: {}, definitionDigest: HASH };

  test('a listed tool that the server does not offer is refused with its pointer', () => {
    expect(() => pinnedTools({ ...server, tools: { write: use } }, [offered], '/tools/0')).toThrow(
      expect.objectContaining({ pointer: '/tools/0/mcp/tools/write' }),
    );
  });

  test('[P-mcp-pinned] a tool that is not listed is not exposed, and a listed one is pinned to its definition', () => {
    const other = { ...offered, name: 'delete' };
    const tools = pinnedTools({ ...server, tools: { read: use } }, [offered, other], '/tools/0');
    expect(tools.map(({ name, target }) => [name, target])).toMatchObject([
      ['files_read', { kind: 'mcp', name: 'read', definitionDigest: HASH }],
    ]);
  });

  test('[P-mcp-pinned] applying pins the first definition of a tool and no later one', () => {
    const [first] = pinnedTools({ ...server, tools: { read: use } }, [offered], '/tools/0');
    if (first === undefined) throw new Error('expected a tool');
    expect(first.target).toMatchObject({ definitionDigest: HASH, pinnedDigest: HASH });
    const stored = { ...nothing, tools: new Map([[first.name, first]]) };
    const changed = { ...offered, description: 'Reads and reports.', definitionDigest: 'b'.repeat(64) };
    const later = pinnedTools({ ...server, tools: { read: use } }, [changed], '/tools/0');
    const [change] = compareConfiguration(wanted({ tools: later }), stored, facts).changes;
    expect(change).toMatchObject({
      verb: 'changed',
      value: {
        description: 'Reads and reports.',
        target: { definitionDigest: 'b'.repeat(64), pinnedDigest: HASH },
      },
    });
    const elsewhere = pinnedTools(
      { ...server, server: 'other', tools: { read: use } },
      [changed],
      '/tools/0',
    );
    expect(compareConfiguration(wanted({ tools: elsewhere }), stored, facts).changes).toMatchObject([
      { value: { target: { pinnedDigest: 'b'.repeat(64) } } },
    ]);
  });
});
