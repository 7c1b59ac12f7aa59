import {
  type AgentFile,
  approvalsEntrySchema,
  localServerSchema,
  type PersonEntry,
  type Tool,
  toolSchema,
  unknownDefinition,
} from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { compareConfiguration, type StoredConfiguration, type WantedConfiguration } from './changes.ts';

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
    expect(plan).toEqual({ changes: [], unchanged: 2, unlisted: [], emptied: [] });
  });

  test('an agent that no file lists stays, and is named', () => {
    const entry = { ...helper, session: 'ses_1', keys: [] };
    const plan = compareConfiguration(
      wanted(),
      { ...nothing, agents: new Map([['acme.helper', entry]]) },
      facts,
    );
    expect(plan).toEqual({ changes: [], unchanged: 0, unlisted: ['agent/acme.helper'], emptied: [] });
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

test('[P-mcp-pinned] applying pins the first definition of a tool and no later one', () => {
  const connection = localServerSchema.parse({ transport: 'stdio', command: 'files' });
  const described = (description: string, definitionDigest: string, server = 'files') =>
    toolSchema.parse({
      ...{ name: 'files_read', description, inputSchema: {} },
      target: {
        ...{ kind: 'mcp', server, name: 'read', connection },
        ...{ definitionDigest, pinnedDigest: definitionDigest },
      },
    });
  const other = 'b'.repeat(64);
  const stored = { ...nothing, tools: new Map([['files_read', described('Reads.', HASH)]]) };
  const later = described('Reads and reports.', other);
  const [change] = compareConfiguration(wanted({ tools: [later] }), stored, facts).changes;
  expect(change).toMatchObject({
    verb: 'changed',
    value: {
      description: 'Reads and reports.',
      target: { definitionDigest: other, pinnedDigest: HASH },
    },
  });
  const elsewhere = described('Reads and reports.', other, 'other');
  expect(compareConfiguration(wanted({ tools: [elsewhere] }), stored, facts).changes).toMatchObject([
    { value: { target: { pinnedDigest: other } } },
  ]);
  // A server that does not answer takes no pin away, and what was never described has none.
  const unknown = { ...described('', unknownDefinition), unavailable: { reason: 'It does not answer.' } };
  expect(compareConfiguration(wanted({ tools: [unknown] }), stored, facts).changes).toMatchObject([
    { value: { target: { pinnedDigest: HASH } } },
  ]);
  const never = { ...nothing, tools: new Map([['files_read', unknown]]) };
  expect(compareConfiguration(wanted({ tools: [later] }), never, facts).changes).toMatchObject([
    { value: { target: { pinnedDigest: other } } },
  ]);
});

describe('what applying would leave nothing of', () => {
  const limits = { limits: [{ name: 'calls', match: {}, per: ['agent' as const], concurrency: 4 }] };
  const approvals = approvalsEntrySchema.parse({ rules: [{ tool: 'note', roles: ['approver'] }] });
  const stored = { ...nothing, tools: new Map([['note', tool('note')]]), limits, approvals };

  test('[P-removal-asked] is named: tools, limits, rules about approvals', () => {
    const empty = { limits: { limits: [] }, approvals: approvalsEntrySchema.parse({}) };
    expect(compareConfiguration(wanted(empty), stored, facts).emptied).toEqual([
      { kind: 'tools', names: ['note'] },
      { kind: 'limits', names: ['calls'] },
      { kind: 'approval rules', names: ['note'] },
    ]);
  });

  test('is nothing where one stays or comes, and where a file is missing', () => {
    const plan = compareConfiguration(wanted({ tools: [tool('new')] }), stored, facts);
    expect(plan.emptied).toEqual([]);
    expect(plan.unlisted).toEqual(['setting/limits', 'setting/approvals']);
  });
});
