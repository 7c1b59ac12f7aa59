/**
 * The local MCP servers that the executor of this machine may start: a private file of the data folder. Only a person at
 * this machine adds to it; whoever can write tools through the management API cannot (docs/decisions/034).
 */
import path from 'node:path';
import type { LocalServerConnection } from '@interlock/contracts';
import { commandListOf, isListed, readCommandList } from '@interlock/sandbox';
import { writePrivate } from '@interlock/shell';
import { type ConfirmOptions, confirm } from './confirm.ts';
import type { LoadedConfiguration } from './load-configuration.ts';
import { localServerOf } from './local-paths.ts';
import { oneLine } from './output.ts';

/** Asks a person whether these servers may be started. Throws when they may not. */
export type Agree = (servers: readonly LocalServerConnection[]) => Promise<void>;

/** Returns the file of a data folder that lists the local MCP servers which may be started. */
export function commandsFile(data: string): string {
  return path.join(data, 'executor-commands.json');
}

/**
 * Lists the local servers of a configuration, once a person has agreed to those that are not listed yet. Those that
 * tools still use stay, until `onlyNow` is called after the configuration was applied.
 */
export async function listCommands(
  data: string,
  { tools }: Pick<LoadedConfiguration, 'tools'>,
  agree: Agree,
): Promise<{ onlyNow: () => Promise<void> }> {
  const file = commandsFile(data);
  const listed = await readCommandList(file);
  const wanted = commandListOf(tools.flatMap((tool) => localServerOf(tool) ?? []));
  const added = wanted.commands.filter((command) => !isListed(listed, command));
  if (added.length > 0) await agree(added);
  const write = async (commands: readonly LocalServerConnection[]) =>
    await writePrivate(file, `${JSON.stringify(commandListOf(commands), null, 2)}\n`);
  await write([...listed.commands, ...added]);
  return { onlyNow: () => write(wanted.commands) };
}

/** Shows the servers and asks at the terminal. */
export function agreeAtTerminal(options: ConfirmOptions): Agree {
  return async (servers) => {
    const subject = servers.length === 1 ? 'a program' : `${servers.length} programs`;
    const shown = [`The configuration starts ${subject} on this machine:`, ...servers.map(commandText)].join(
      '\n',
    );
    await confirm(options, shown, 'May Interlock start that when its tools are called?');
  };
}

/** Returns what a server is started with. Values of its environment may be secret, so only names are shown. */
function commandText({ command, args, env, cwd, mounts, network, shared }: LocalServerConnection): string {
  const quoted = [command, ...args].map((text) =>
    /^[\w@%+=:,./-]+$/.test(text) ? text : JSON.stringify(text),
  );
  const lines = [
    `  ${quoted.join(' ')}`,
    ...mounts.map(
      ({ path: folder, access }) => `    ${access === 'rw' ? 'reads and writes' : 'reads'} ${folder}`,
    ),
    `    network: ${network === 'host' ? "this machine's" : 'none'}`,
    ...(Object.keys(env).length === 0 ? [] : [`    environment: ${Object.keys(env).join(', ')}`]),
    ...(cwd === undefined ? [] : [`    starts in ${cwd}`]),
    ...(shared ? ['    one process for all users and tenants'] : []),
  ];
  return lines.map(oneLine).join('\n');
}
