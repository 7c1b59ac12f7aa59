import { toolSchema } from '@interlock/contracts';
import type { Command } from 'commander';
import { z } from 'zod';
import { consoleOf } from '../client.ts';
import { print, table } from '../output.ts';
import { type CommonOptions, command } from './options.ts';

const toolsSchema = z.strictObject({ tools: z.array(toolSchema) });

/** `interlock tools`: what agents may ask for. */
export function toolsCommand(): Command {
  return command('tools', 'list the tools', 'interlock tools')
    .option('--as <person>', 'who asks')
    .action(async (options: CommonOptions & { as?: string }) => {
      const door = await consoleOf(options);
      const { tools } = await door.ask({ method: 'GET', path: '/v1/tools', reply: toolsSchema });
      const rows = tools.map(({ name, target, labels, description }) => [
        name,
        target.kind === 'mcp' ? `mcp ${target.server}` : `${target.method} ${target.url}`,
        labels.join(','),
        description.split('\n')[0]?.slice(0, 60),
      ]);
      print(options, { tools }, table(['tool', 'target', 'labels', 'description'], rows));
    });
}
