import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { localServerSchema, mcpToolFileSchema } from '@interlock/contracts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { agreeAtTerminal, agreeToCommands, commandsFile } from './commands-file.ts';

let data = '';
beforeEach(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'interlock-commands-'));
});
afterEach(() => rm(data, { recursive: true }));

const server = (command: string, more: object = {}) =>
  localServerSchema.parse({ transport: 'stdio', command, ...more });
const configurationOf = (...commands: string[]) => ({
  tools: commands.map((command) =>
    mcpToolFileSchema.parse({ mcp: { server: command, connection: server(command), tools: {} } }),
  ),
});
const listed = async () => JSON.parse(await readFile(commandsFile(data), 'utf8')).commands;
const listCommands = async (...[folder, configuration, agree]: Parameters<typeof agreeToCommands>) => {
  const agreed = await agreeToCommands(folder, configuration, agree);
  await agreed.list();
  return agreed;
};
const refuse = async () => {
  throw new Error('nobody agreed');
};

describe('the list of local MCP servers', () => {
  test('[P-mcp-listed] stays as it is when nobody agrees to a new one', async () => {
    await expect(listCommands(data, configurationOf('files'), refuse)).rejects.toThrow('nobody agreed');
    await expect(listed()).rejects.toThrow('ENOENT');
  });

  test('without a terminal needs --yes', async () => {
    await expect(agreeAtTerminal({})([server('files')])).rejects.toMatchObject({
      code: 'not_confirmed',
      next: expect.stringContaining('--yes'),
    });
    await expect(agreeAtTerminal({ yes: true })([server('files')])).resolves.toBeUndefined();
  });

  test('asks once for each new one, and is readable by its owner alone', async () => {
    const asked: string[] = [];
    const agree = async (servers: readonly { command: string }[]) => {
      asked.push(...servers.map(({ command }) => command));
    };
    await listCommands(data, configurationOf('files'), agree);
    await listCommands(data, configurationOf('files', 'memory'), agree);
    await listCommands(data, configurationOf('memory'), agree);
    expect(asked).toEqual(['files', 'memory']);
    expect((await stat(commandsFile(data))).mode & 0o777).toBe(0o600);
  });

  test('asks again when anything about a server changed', async () => {
    await listCommands(data, configurationOf('files'), async () => undefined);
    const connection = server('files', { network: 'host' });
    const changed = { tools: [mcpToolFileSchema.parse({ mcp: { server: 'files', connection, tools: {} } })] };
    await expect(listCommands(data, changed, refuse)).rejects.toThrow('nobody agreed');
  });

  test('keeps what tools still use until the new configuration is applied', async () => {
    await listCommands(data, configurationOf('files'), async () => undefined);
    const { onlyNow } = await listCommands(data, configurationOf('memory'), async () => undefined);
    expect(await listed()).toMatchObject([{ command: 'files' }, { command: 'memory' }]);
    await onlyNow();
    expect(await listed()).toMatchObject([{ command: 'memory' }]);
  });
});
