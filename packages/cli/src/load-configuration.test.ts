import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigurationFailure, loadConfiguration } from './load-configuration.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'interlock-configuration-'));
  await write('people.yaml', 'people:\n  - person: alice\n    roles: [admin]\n');
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(name: string, text: string): Promise<void> {
  await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
  await writeFile(path.join(folder, name), text);
}

async function issuesOf(written?: Promise<void>): Promise<ConfigurationFailure['issues']> {
  await written;
  const thrown: unknown = await loadConfiguration(folder).catch((error: unknown) => error);
  if (thrown instanceof ConfigurationFailure) return thrown.issues;
  throw new TypeError('The configuration was taken.', { cause: thrown });
}

describe('[P-config-mistake] a configuration mistake', () => {
  test('of a missing folder is reported with what to do', async () => {
    await expect(loadConfiguration(path.join(folder, 'nowhere'))).rejects.toMatchObject({
      code: 'configuration_missing',
      next: expect.stringContaining('--config'),
    });
  });

  test('is reported with file, line, column, pointer and what was expected', async () => {
    await write('limits.yaml', 'limits:\n  - name: burst\n    per: [agent]\n    concurrency: "many"\n');
    expect(await issuesOf()).toEqual([
      {
        file: 'limits.yaml',
        line: 4,
        column: 18,
        pointer: '/limits/0/concurrency',
        expected: 'expected number, received string',
      },
    ]);
  });

  test('of an unknown member points at that member', async () => {
    await write('agents/helper.yaml', 'agent: helper\ntenant: acme\nuser: ada\nkeys: []\n');
    expect(await issuesOf()).toMatchObject([
      { file: 'agents/helper.yaml', line: 4, column: 1, pointer: '/keys' },
    ]);
  });

  test('of a missing member points at where it is missing', async () => {
    await write('tools/files.yaml', 'mcp:\n  server: files\n  tools: {}\n');
    expect(await issuesOf()).toMatchObject([
      { file: 'tools/files.yaml', line: 2, column: 3, pointer: '/mcp/connection' },
    ]);
  });

  test('in a value of several possible shapes is reported for the nearest shape', async () => {
    const lines = ['name: note', 'description: A note.', 'inputSchema: {}', 'http:', '  method: FETCH'];
    await write(
      'tools/note.yaml',
      [...lines, '  url: https://a.example/', '  egress: {allow: [a.example]}', ''].join('\n'),
    );
    expect(await issuesOf()).toMatchObject([{ line: 5, column: 11, pointer: '/http/method' }]);
  });

  test('of the same key twice, and of text that is not YAML, is reported with its line', async () => {
    await write('approvals.yaml', 'expiresMs: 1000\nexpiresMs: 2000\n');
    await write('limits.yaml', 'limits: [\n');
    const issues = await issuesOf();
    expect(issues.map(({ file }) => file).sort()).toEqual(['approvals.yaml', 'limits.yaml']);
    expect(issues.find(({ file }) => file === 'approvals.yaml')).toMatchObject({ line: 2 });
  });

  test('in several files is reported all at once', async () => {
    await write('agents/one.yaml', 'agent: one\n');
    await write('tools/two.yaml', 'name: two\n');
    const files = new Set((await issuesOf()).map(({ file }) => file));
    expect([...files].sort()).toEqual(['agents/one.yaml', 'tools/two.yaml']);
  });

  test('of two files with one name is reported', async () => {
    const agent = 'agent: helper\ntenant: acme\nuser: ada\n';
    await write('agents/a.yaml', agent);
    await write('agents/b.yaml', agent);
    expect(await issuesOf()).toMatchObject([
      { file: 'agents/b.yaml', expected: expect.stringContaining('agents/a.yaml') },
    ]);
  });
});

describe('a local MCP server', () => {
  const local = (connection: string) =>
    write(
      'tools/files.yaml',
      `mcp:\n  server: files\n  connection: {transport: stdio, command: server, ${connection}}\n  tools: {}\n`,
    );
  beforeEach(() => mkdir(path.join(folder, 'files')));

  test.each([
    'args: [.]',
    'args: [..]',
    'args: [./]',
    'args: [--root=.]',
    'args: [./.interlock]',
    "args: ['./files/..']",
  ])('[P-mcp-paths] is not given the data folder by %s', async (args) => {
    await mkdir(path.join(folder, '.interlock'));
    expect(await issuesOf(local(args))).toMatchObject([
      {
        file: 'tools/files.yaml',
        line: 3,
        pointer: '/mcp/connection/args/0',
        expected: expect.stringContaining('cannot see'),
      },
    ]);
    const mounts = `${args}, mounts: [{path: ${args.includes('[..]') ? '..' : '.'}}]`;
    const [mount] = await issuesOf(local(mounts));
    expect(mount).toMatchObject({
      pointer: '/mcp/connection/mounts/0/path',
      expected: expect.stringContaining('.interlock'),
    });
  });

  test.each(['files', 'files/', 'tools/../files', '--root=files'])(
    '[P-mcp-paths] is not given the relative path %s, which would mean nothing where it starts',
    async (arg) => {
      const [issue] = await issuesOf(local(`args: ['${arg}'], mounts: [{path: files}]`));
      expect(issue).toMatchObject({
        line: 3,
        pointer: '/mcp/connection/args/0',
        expected: expect.stringContaining('./'),
      });
    },
  );

  test.each([
    ['args: [~/files]', 'args/0', 'no shell'],
    ['mounts: [{path: ./policies, access: rw}]', 'mounts/0/access', 'configuration itself'],
    ['mounts: [{path: ./policies/rules, access: rw}]', 'mounts/0/access', 'configuration itself'],
    ['mounts: [{path: ./nowhere}]', 'mounts/0/path', 'there is no'],
    ['cwd: ./files', 'cwd', 'mounts'],
    ['cwd: ./.interlock', 'cwd', 'data folder'],
  ])('that declares %s is reported', async (connection, pointer, expected) => {
    await mkdir(path.join(folder, '.interlock'));
    await mkdir(path.join(folder, 'policies', 'rules'), { recursive: true });
    expect((await issuesOf(local(connection))).at(-1)).toMatchObject({
      pointer: `/mcp/connection/${pointer}`,
      expected: expect.stringContaining(expected),
    });
  });
});

test('[P-mcp-paths] a path that begins with ./ is relative to the configuration folder', async () => {
  await mkdir(path.join(folder, 'files'));
  await write(
    'tools/files.yaml',
    'mcp:\n  server: files\n  connection: {transport: stdio, command: server, args: [./files, --flag, --in=./files, plain], env: {A: ./files}, cwd: files, mounts: [{path: files}]}\n  tools: {}\n',
  );
  const { tools } = await loadConfiguration(folder);
  expect(tools).toMatchObject([
    {
      mcp: {
        connection: {
          command: 'server',
          args: [path.join(folder, 'files'), '--flag', `--in=${path.join(folder, 'files')}`, 'plain'],
          env: { A: path.join(folder, 'files') },
          cwd: path.join(folder, 'files'),
          mounts: [{ path: path.join(folder, 'files'), access: 'ro' }],
        },
      },
    },
  ]);
});

test('the quickstart is a valid configuration', async () => {
  const quickstart = path.resolve(import.meta.dirname, '../../../examples/quickstart');
  const { tools, agents, people } = await loadConfiguration(quickstart);
  expect(tools.length).toBeGreaterThan(1);
  expect(agents.length).toBeGreaterThan(0);
  expect(people.map(({ person }) => person)).toEqual(['alice', 'bob']);
});
