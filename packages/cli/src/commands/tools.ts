import { digestSchema, type Tool, toolSchema } from '@interlock/contracts';
import { Failure } from '@interlock/shell';
import { type Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { type ApiClient, managementClientOf } from '../client.ts';
import { plain, print, table } from '../output.ts';
import { type CommonOptions, command } from './options.ts';

const toolsSchema = z.strictObject({ tools: z.array(toolSchema) });

interface ToolsOptions extends CommonOptions {
  as?: string;
}

/** `interlock tools`: what agents may ask for, and which definition of an MCP tool a person agreed to. */
export function toolsCommand(): Command {
  return command('tools', 'list the tools', 'interlock tools')
    .option('--as <person>', 'who asks')
    .enablePositionalOptions()
    .addCommand(pinCommand())
    .action(async (options: ToolsOptions) => {
      const tools = await listed(await managementClientOf(options));
      const rows = tools.map(({ name, target, labels, description }) => [
        name,
        target.kind === 'mcp' ? `mcp ${target.server}` : `${target.method} ${target.url}`,
        labels.join(','),
        description.split('\n')[0]?.slice(0, 60),
      ]);
      print(options, { tools }, table(['tool', 'target', 'labels', 'description'], rows));
    });
}

/** `interlock tools pin`: shows how an MCP server describes a tool now, and agrees to that very description. */
function pinCommand(): Command {
  return command(
    'pin',
    'look at the definition of a tool of an MCP server; with its digest, agree to it',
    'interlock tools pin files_read',
  )
    .argument('<tool>', 'the tool')
    .option('--digest <digest>', 'agree to the definition with this digest', digestText)
    .option('--as <person>', 'who acts')
    .action(async (name: string, options: ToolsOptions & { digest?: string }) => {
      const client = await managementClientOf(options);
      const tool =
        options.digest === undefined ? await found(client, name) : await pinned(client, name, options.digest);
      print(options, tool, definitionText(tool));
    });
}

async function listed(client: ApiClient): Promise<Tool[]> {
  return (await client.request({ method: 'GET', path: '/v1/tools', reply: toolsSchema })).tools;
}

async function found(client: ApiClient, name: string): Promise<Tool> {
  const tool = (await listed(client)).find((one) => one.name === name);
  if (tool !== undefined) return tool;
  throw new Failure('tool_unknown', `There is no tool named ${name}.`, { next: 'See interlock tools.' });
}

async function pinned(client: ApiClient, name: string, definitionDigest: string): Promise<Tool> {
  const path = `/v1/tools/${encodeURIComponent(name)}/pin`;
  return await client.request({ method: 'POST', path, body: { definitionDigest }, reply: toolSchema });
}

function definitionText({ name, target, description, inputSchema }: Tool): string {
  if (target.kind !== 'mcp') return `${name} is no tool of an MCP server: its definition is your own file.`;
  const { pinnedDigest, definitionDigest, server } = target;
  const agreed = pinnedDigest === definitionDigest;
  const lines = [
    `${name}, ${target.name} of ${server}`,
    `agreed to  ${pinnedDigest}`,
    `now        ${definitionDigest}${agreed ? '' : '  (changed)'}`,
    '',
    description,
    '',
    JSON.stringify(inputSchema, null, 2),
    ...(agreed ? [] : ['', `To agree: interlock tools pin ${name} --digest ${definitionDigest}`]),
  ];
  return plain(lines.join('\n'));
}

function digestText(text: string): string {
  if (digestSchema.safeParse(text).success) return text;
  throw new InvalidArgumentError('It must be a digest as the command shows it.');
}
