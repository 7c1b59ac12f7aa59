import { digestSchema, type Tool, toolSchema } from '@interlock/contracts';
import { Failure } from '@interlock/shell';
import { type Command, InvalidArgumentError } from 'commander';
import { type ApiClient, managementClientOf } from '../client.ts';
import { print, quoted, table } from '../output.ts';
import { listTools } from '../tools.ts';
import type { TryTool } from '../tried-request.ts';
import { type ManagementOptions, managementCommand } from './options.ts';
import { addCommand } from './tools-add.ts';
import { tryCommand } from './tools-try.ts';

/** `interlock tools`: lists the tools, pins the definition of an MCP tool, copies those of the catalogue, and tries one. */
export function toolsCommand(tryTool: TryTool): Command {
  return managementCommand('tools', 'list the tools', 'interlock tools')
    .enablePositionalOptions()
    .addCommand(pinCommand())
    .addCommand(addCommand())
    .addCommand(tryCommand(tryTool))
    .action(async (options: ManagementOptions) => {
      const tools = await listTools(await managementClientOf(options));
      const rows = tools.map(({ name, target, labels, description, unavailable }) => [
        name,
        target.kind === 'mcp' ? `mcp ${target.server}` : `${target.method} ${target.url}`,
        labels.join(','),
        unavailable === undefined
          ? description.split('\n')[0]?.slice(0, 60)
          : `unavailable: ${unavailable.reason}`,
      ]);
      print(options, { tools }, table(['tool', 'target', 'labels', 'description'], rows));
    });
}

/** `interlock tools pin`: prints the present definition of an MCP tool, and pins the one with a given digest. */
function pinCommand(): Command {
  return managementCommand(
    'pin',
    'print the definition of a tool of an MCP server; with --digest, accept that definition',
    'interlock tools pin files_read',
  )
    .argument('<tool>', 'the tool')
    .option('--digest <digest>', 'accept the definition with this digest', digestText)
    .action(async (name: string, options: ManagementOptions & { digest?: string }) => {
      const client = await managementClientOf(options);
      const tool =
        options.digest === undefined
          ? await findTool(client, name)
          : await pinTool(client, name, options.digest);
      print(options, tool, definitionText(tool));
    });
}

async function findTool(client: ApiClient, name: string): Promise<Tool> {
  const tool = (await listTools(client)).find((one) => one.name === name);
  if (tool !== undefined) return tool;
  throw new Failure('tool_unknown', `No tool is named ${name}.`, {
    next: 'List the tools with interlock tools.',
  });
}

async function pinTool(client: ApiClient, name: string, definitionDigest: string): Promise<Tool> {
  const path = `/v1/tools/${encodeURIComponent(name)}/pin`;
  return await client.request({ method: 'POST', path, body: { definitionDigest }, reply: toolSchema });
}

function definitionText({ name, target, description, inputSchema }: Tool): string {
  if (target.kind !== 'mcp')
    return `${name} is not a tool of an MCP server: its definition is a file of the configuration.`;
  const { pinnedDigest, definitionDigest, server } = target;
  const isAccepted = pinnedDigest === definitionDigest;
  const lines = [
    `${name}, ${target.name} of ${server}`,
    `accepted  ${pinnedDigest}`,
    `present   ${definitionDigest}${isAccepted ? '' : '  (changed)'}`,
    '',
    'description, as the server gives it:',
    quoted(description),
    'schema of its arguments:',
    quoted(inputSchema),
    ...(isAccepted ? [] : ['', `To accept it: interlock tools pin ${name} --digest ${definitionDigest}`]),
  ];
  return lines.join('\n');
}

function digestText(text: string): string {
  if (digestSchema.safeParse(text).success) return text;
  throw new InvalidArgumentError('Write the digest as interlock tools pin prints it.');
}
