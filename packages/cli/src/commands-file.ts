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

/** What a person agreed to, to be listed before and after a configuration is applied. */
export interface AgreedCommands {
  /** Lists the new servers beside those that tools still use. */
  list: () => Promise<void>;
  /** Lists the servers of the configuration alone. */
  onlyNow: () => Promise<void>;
}

/** Has a person agree to the local servers of a configuration that are not listed yet. Nothing is listed by that. */
export async function agreeToCommands(
  data: string,
  { tools }: Pick<LoadedConfiguration, 'tools'>,
  agree: Agree,
): Promise<AgreedCommands> {
  const file = commandsFile(data);
  const listed = await readCommandList(file);
  const wanted = commandListOf(tools.flatMap((tool) => localServerOf(tool) ?? []));
  const added = wanted.commands.filter((command) => !isListed(listed, command));
  if (added.length > 0) await agree(added);
  const write = async (commands: readonly LocalServerConnection[]) =>
    await writePrivate(file, `${JSON.stringify(commandListOf(commands), null, 2)}\n`);
  return {
    list: () => write([...listed.commands, ...added]),
    onlyNow: () => write(wanted.commands),
  };
}

/** Shows the servers and asks at the terminal. */
export function agreeAtTerminal(options: ConfirmOptions): Agree {
  return async (servers) => {
    const subject = servers.length === 1 ? 'a program' : `${servers.length} programs`;
    const shown = [`The configuration starts ${subject} on this machine:`, ...servers.map(commandText)].join(
      '\n',
    );
    await confirm(options, shown, 'May Interlock start that, to see its tools and when they are called?');
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
