import { type CommonOptions, command, foldersOf, print } from '@interlock/cli';
import { Failure } from '@interlock/shell';
import type { Command } from 'commander';
import { stopOwner } from '../lock.ts';

/** `interlock down`: stops the `interlock up` of a data folder. */
export function downCommand(): Command {
  return command(
    'down',
    'stop the interlock up that runs with this data folder, and wait until it has ended',
    'interlock down --config my-interlock',
  ).action(async (options: CommonOptions) => {
    const { data } = foldersOf(options);
    const stopped = (await stopOwner(data)).map(({ name, pid }) => ({ name, pid }));
    if (stopped.length === 0)
      throw new Failure('not_running', `No interlock up runs with the data folder ${data}.`, {
        next: 'Name the data folder of the one to stop with --data, or its configuration with --config.',
      });
    print(options, { data, stopped }, stopped.map(textOf).join('\n'));
  });
}

function textOf({ name, pid }: { name: string; pid: number }): string {
  return `stopped  ${name === 'up' ? 'interlock up and its services' : name} (${pid})`;
}
