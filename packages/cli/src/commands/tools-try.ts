import type { HttpToolFile } from '@interlock/contracts';
import { Failure } from '@interlock/shell';
import type { Command } from 'commander';
import { readArguments } from '../call-arguments.ts';
import { usage } from '../exit-codes.ts';
import { foldersOf } from '../folders.ts';
import { type LoadedConfiguration, loadConfiguration } from '../load-configuration.ts';
import { print } from '../output.ts';
import { requestText, type TryTool } from '../tried-request.ts';
import { type CommonOptions, command } from './options.ts';

/** `interlock tools try`: prints the request that a call of a tool would become, from the folder alone. */
export function tryCommand(tryTool: TryTool): Command {
  return command(
    'try',
    'print the request that a call would send, with marks for secrets; nothing is sent and no service needed',
    `interlock tools try read-note '{"id": 1}' --dry-run`,
  )
    .argument('<tool>', 'the tool')
    .argument('[json]', 'its arguments as a JSON object; - reads them from standard input', '{}')
    .option('--dry-run', 'print it, and send nothing')
    .action(async (name: string, json: string, options: CommonOptions & { dryRun?: boolean }) => {
      if (options.dryRun !== true)
        throw usage('interlock tools try needs --dry-run; interlock call makes a real call.');
      const args = await readArguments(json);
      const { config, data } = foldersOf(options);
      const request = await tryTool(findTool(await loadConfiguration(config, data), name), args);
      print(options, { tool: name, ...request }, requestText(request));
    });
}

function findTool({ tools, folder }: LoadedConfiguration, name: string): HttpToolFile {
  for (const tool of tools) {
    if ('http' in tool) {
      if (tool.name === name) return tool;
    } else if (Object.keys(tool.mcp.tools).some((own) => `${tool.mcp.prefix}${own}` === name))
      throw new Failure('tool_of_server', `${name} is a tool of the MCP server ${tool.mcp.server}.`, {
        next: 'Only the request of an HTTP tool is known before it is sent. Make a call with interlock call.',
      });
  }
  throw new Failure('tool_unknown', `No tool in ${folder} is named ${name}.`, {
    next: 'Look at the files in its folder tools, or copy one with interlock tools add.',
  });
}
