import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { localServerSchema, mcpToolFileSchema, unknownDefinition } from '@interlock/contracts';
import { processEnvironment } from '@interlock/shell';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { agreeToCommands } from './commands-file.ts';
import { ConfigurationFailure, issueText, loadConfiguration } from './load-configuration.ts';
import { askAgain, pinnedTools, resolveTools, withKnown } from './resolve-tools.ts';

const MODULES = path.resolve(import.meta.dirname, '../../../node_modules');
const FILESYSTEM = path.join(
  path.dirname(
    createRequire(import.meta.url).resolve('@modelcontextprotocol/server-filesystem/package.json'),
  ),
  'dist/index.js',
);

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'interlock-resolve-'));
  await mkdir(path.join(folder, 'files'));
  await write('people.yaml', ['people:', '  - { person: alice, roles: [admin] }']);
  await write('limits.yaml', ['limits: []']);
  await write('approvals.yaml', ['roles: [admin]']);
});
afterEach(() => rm(folder, { recursive: true }));

async function write(name: string, lines: readonly string[]): Promise<void> {
  await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
  await writeFile(path.join(folder, name), `${lines.join('\n')}\n`);
}

/** A real filesystem server over ./files, with these tools. */
async function writeServer(...tools: string[]): Promise<void> {
  await write('tools/files.yaml', [
    'mcp:',
    '  server: files',
    '  prefix: files_',
    '  connection:',
    '    transport: stdio',
    `    command: ${process.execPath}`,
    `    args: [${FILESYSTEM}, ./files]`,
    `    mounts: [{ path: ${MODULES} }, { path: ./files, access: rw }]`,
    '  tools:',
    ...tools.map((tool) => `    ${tool}`),
  ]);
}

function asking(data: string) {
  const { signal } = new AbortController();
  return { data, env: processEnvironment(), report: () => undefined, signal };
}

async function resolved() {
  const data = path.join(folder, '.interlock');
  return await resolveTools(await loadConfiguration(folder, data), asking(data));
}

async function refusals(): Promise<string[]> {
  try {
    await resolved();
    return [];
  } catch (error) {
    if (error instanceof ConfigurationFailure) return error.issues.map(issueText);
    throw error;
  }
}

describe('[P-discover-command] what a server offers is looked at by the command itself', () => {
  test('[P-upstream-alone] a tool that it does not offer is unavailable, with its line and what was meant', async () => {
    await writeServer('read_txt_file: {}', 'write_file: {}');
    const { tools, warnings } = await resolved();
    expect(warnings.map(issueText)).toEqual([
      'tools/files.yaml:10:5: /mcp/tools/read_txt_file: the MCP server files offers no tool read_txt_file; did you mean read_text_file?',
    ]);
    expect(tools).toMatchObject([
      {
        name: 'files_read_txt_file',
        unavailable: { reason: expect.stringMatching(/^The MCP server files offers no/) },
      },
      { name: 'files_write_file', inputSchema: { properties: { path: {} } } },
    ]);
    expect(tools[1]?.unavailable).toBeUndefined();
  });

  test('[P-config-names] an argument that its tool does not have is refused, in its own file and in a setting', async () => {
    await writeServer(
      'read_text_file: { parse: [{ at: /paht, as: path }] }',
      'write_file: { spends: /cost }',
    );
    await write('policies/data.yaml', [
      'config:',
      '  templates: { files_write_file: [{ at: /pth, any_of: [] }] }',
    ]);
    expect(await refusals()).toEqual([
      'tools/files.yaml:10:37: /mcp/tools/read_text_file/parse/0/at: the schema of the tool has no argument /paht; did you mean path?',
      'tools/files.yaml:11:27: /mcp/tools/write_file/spends: the schema of the tool has no argument /cost',
      'policies/data.yaml:2:41: /config/templates/files_write_file/0/at: files_write_file: the schema of the tool has no argument /pth; did you mean path?',
    ]);
  });

  test.each([
    ['that is no program', '/nowhere/node', [], /\/nowhere\/node/],
    [
      'that ends at once',
      process.execPath,
      ['-e', 'console.error("Error: API key missing\\u001b[2J");process.exit(1)'],
      /Its last words: .*API key missing/,
    ],
    [
      'that says nothing',
      process.execPath,
      ['-e', 'console.error("loading");setInterval(() => {}, 1000)'],
      /did not answer in time.*"loading"/,
    ],
  ] as const)(
    '[P-upstream-alone] a server %s makes its own tools unavailable and says why, and the others go on',
    async (_title, command, args, reason) => {
      await writeServer('read_text_file: {}');
      await write('tools/dead.yaml', [
        'mcp:',
        '  server: dead',
        '  connection:',
        '    transport: stdio',
        `    command: ${command}`,
        `    args: ${JSON.stringify(args)}`,
        '    startMs: 2000',
        '  tools:',
        '    a: { labels: [writes] }',
      ]);
      const { tools, warnings } = await resolved();
      expect(warnings).toMatchObject([{ file: 'tools/dead.yaml', line: 3 }]);
      const [dead, files] = tools;
      expect(dead).toMatchObject({
        name: 'a',
        labels: ['writes'],
        unavailable: { reason: expect.stringMatching(reason) },
      });
      expect(dead?.unavailable?.reason).toMatch(/^The MCP server dead \(/);
      expect(dead?.unavailable?.reason).not.toMatch(/\p{Cc}/u);
      expect(files).toMatchObject({ name: 'files_read_text_file' });
      expect(files?.unavailable).toBeUndefined();
    },
  );

  test('[P-mcp-listed] a server that did not answer is started again only where a person at this machine agreed to it', async () => {
    await writeServer('read_text_file: {}');
    const { tools } = await resolved();
    const stored = tools.map((tool) => ({ ...tool, description: '', unavailable: { reason: 'gone' } }));
    const data = path.join(folder, '.interlock');
    expect(await askAgain(stored, asking(data))).toBeUndefined();
    const loaded = await loadConfiguration(folder, data);
    await (await agreeToCommands(data, loaded, async () => undefined)).list();
    expect(await askAgain(stored, asking(data))).toEqual(tools);
    expect(await askAgain(tools, asking(data))).toBeUndefined();
  });

  test('[P-upstream-alone] a definition that was known before stays, for the same tool of the same server only', async () => {
    await writeServer('read_text_file: {}');
    const { tools: before } = await resolved();
    const loaded = await loadConfiguration(folder, path.join(folder, '.interlock'));
    const gone = before.map((tool) => ({ ...tool, description: '', unavailable: { reason: 'gone' } }));
    expect(withKnown(loaded, gone, before)).toEqual(before);
    expect(withKnown(loaded, gone, gone)).toEqual(gone);
    const elsewhere = before.map((tool) =>
      tool.target.kind === 'mcp' ? { ...tool, target: { ...tool.target, server: 'other' } } : tool,
    );
    expect(withKnown(loaded, gone, elsewhere)).toEqual(gone);
  });

  test('[P-upstream-alone] what was applied while servers were asked stays: of an older list only descriptions count', async () => {
    await writeServer('read_text_file: { labels: [reads-private] }', 'write_file: {}');
    const { tools: older } = await resolved();
    const loaded = await loadConfiguration(folder, path.join(folder, '.interlock'));
    const [read] = older;
    if (read === undefined) throw new TypeError('There is a tool.');
    const narrowed = { ...read, labels: [], description: '', unavailable: { reason: 'gone' } };
    const added = { ...read, name: 'added', description: 'As it is now.' };
    expect(withKnown(loaded, [narrowed, added], older)).toEqual([{ ...read, labels: [] }, added]);
  });

  test('[P-config-names] a tool that is known from before is held to the arguments that it has, like one whose server answers', async () => {
    await writeServer('write_file: {}');
    const { tools: before } = await resolved();
    const gone = before.map((tool) => ({ ...tool, unavailable: { reason: 'gone' } }));
    await write('policies/data.yaml', [
      'config:',
      '  templates: { files_write_file: [{ at: /pth, any_of: [] }] }',
    ]);
    const loaded = await loadConfiguration(folder, path.join(folder, '.interlock'));
    expect(() => withKnown(loaded, gone, before)).toThrow(ConfigurationFailure);
    expect(withKnown(loaded, gone, gone)).toEqual(gone);
  });

  test('[P-mcp-pinned] a tool that was pinned stays pinned through a time in which its server did not answer', async () => {
    await writeServer('read_text_file: {}');
    const { tools } = await resolved();
    const data = path.join(folder, '.interlock');
    const loaded = await loadConfiguration(folder, data);
    await (await agreeToCommands(data, loaded, async () => undefined)).list();
    const pinnedTo = (pinnedDigest: string) =>
      tools.map((tool) =>
        tool.target.kind === 'mcp'
          ? { ...tool, unavailable: { reason: 'gone' }, target: { ...tool.target, pinnedDigest } }
          : tool,
      );
    const pinned = 'a'.repeat(64);
    expect(await askAgain(pinnedTo(pinned), asking(data))).toMatchObject([
      { target: { pinnedDigest: pinned } },
    ]);
    expect(await askAgain(pinnedTo(unknownDefinition), asking(data))).toEqual(tools);
  });

  test('the tools it has are pinned to their definitions, and nothing is left behind', async () => {
    await writeServer('read_text_file: { labels: [reads-private] }');
    const { tools, warnings } = await resolved();
    expect(tools).toMatchObject([
      {
        ...{ name: 'files_read_text_file', labels: ['reads-private'] },
        inputSchema: { properties: { path: {} } },
        target: { kind: 'mcp', server: 'files', name: 'read_text_file' },
      },
    ]);
    expect(warnings).toEqual([]);
    const left = (await readdir(tmpdir())).filter((name) =>
      name.startsWith(`interlock-servers-${process.pid}-`),
    );
    expect(left).toEqual([]);
  });
});

describe('tools of an MCP server', () => {
  const use = { labels: [], parse: [], idempotent: false, claimMs: 30_000 };
  const digest = 'a'.repeat(64);
  const server = {
    ...mcpToolFileSchema.parse({
      mcp: {
        server: 'files',
        connection: localServerSchema.parse({ transport: 'stdio', command: 'files' }),
        prefix: 'files_',
        tools: {},
      },
    }).mcp,
  };
  const offered = { name: 'read', description: 'Reads.', inputSchema: {}, definitionDigest: digest };

  test('whose name with its prefix is none are refused', () => {
    const strange = { ...offered, name: 'read file' };
    const { tools, mistakes } = pinnedTools(
      { ...server, tools: { 'read file': use } },
      { offered: [strange] },
    );
    expect(tools).toEqual([]);
    expect(mistakes).toMatchObject([{ path: ['mcp', 'tools', 'read file'] }]);
  });

  test('[P-mcp-pinned] are exposed only where they are listed, and pinned to their definition', () => {
    const other = { ...offered, name: 'delete' };
    const { tools } = pinnedTools({ ...server, tools: { read: use } }, { offered: [offered, other] });
    expect(tools.map(({ name, target }) => [name, target])).toMatchObject([
      ['files_read', { kind: 'mcp', name: 'read', definitionDigest: digest, pinnedDigest: digest }],
    ]);
  });
});
