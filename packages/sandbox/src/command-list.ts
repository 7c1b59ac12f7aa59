/**
 * The programs that an executor starts: whole connections of local servers, as the operator wrote or agreed to them.
 * A program's name alone would allow everything (`node -e …`), so a command is on the list with its arguments, folders,
 * environment and network, or it is not. The list is a file that no service writes: docs/decisions/034.
 */
import { readFile } from 'node:fs/promises';
import { digestOf, Fault, type LocalServerConnection, localServerSchema } from '@interlock/contracts';
import { z } from 'zod';

const COMMANDS_MAX = 1_000;

const commandListSchema = z.strictObject({ commands: z.array(localServerSchema).max(COMMANDS_MAX) });
export type CommandList = z.infer<typeof commandListSchema>;

/** Reads a list. A file that is missing is an empty list. Throws `configuration_invalid` for a file that is none. */
export async function readCommandList(file: string): Promise<CommandList> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return { commands: [] };
    throw unreadable(file, cause);
  }
  try {
    return commandListSchema.parse(JSON.parse(text));
  } catch {
    // What the parsers throw may quote the environment of a server, and a secret in it.
    throw unreadable(file, undefined);
  }
}

/** Returns a list of commands, each once. */
export function commandListOf(commands: readonly LocalServerConnection[]): CommandList {
  const byDigest = new Map(commands.map((command) => [digestOf(command), command]));
  return { commands: [...byDigest.values()] };
}

/** Returns true when the list has exactly this command. */
export function isListed({ commands }: CommandList, connection: LocalServerConnection): boolean {
  return commands.some((command) => sameCommand(command, connection));
}

/** Returns true when two commands are the same in everything. */
export function sameCommand(left: LocalServerConnection, right: LocalServerConnection): boolean {
  return digestOf(left) === digestOf(right);
}

function unreadable(file: string, cause: unknown): Fault {
  return new Fault('configuration_invalid', {
    detail: `${file} is not a list of the commands that an executor may start.`,
    next: 'Correct the file, or let `interlock apply` write it.',
    cause,
  });
}
