import type { Command } from 'commander';
import { type AddedTools, addFromCatalog, type CatalogTool, readCatalog } from '../catalog.ts';
import { usage } from '../exit-codes.ts';
import { foldersOf } from '../folders.ts';
import { print, table } from '../output.ts';
import { type CommonOptions, command } from './options.ts';

interface AddOptions extends CommonOptions {
  only?: string[];
  prefix: string;
  list?: boolean;
}

const PREFIX = /^[A-Za-z0-9_-]{0,32}$/;

/** `interlock tools add`: copies definitions of well-known APIs into a configuration. */
export function addCommand(): Command {
  return command(
    'add',
    'copy definitions of a well-known API into the configuration; --list shows them',
    'interlock tools add github --only list_issues create_issue',
  )
    .argument('[vendor]', 'whose API, such as github')
    .option('--only <name...>', 'these operations alone')
    .option('--prefix <prefix>', 'put before the name of each tool', '')
    .option('--list', 'show what there is, and copy nothing')
    .action(async (vendor: string | undefined, options: AddOptions) => {
      if (options.list === true) {
        const tools = await readCatalog(vendor);
        print(options, { tools }, listText(tools));
        return;
      }
      if (vendor === undefined) throw usage('Name a vendor, or list them with --list.');
      if (!PREFIX.test(options.prefix)) throw usage('A prefix is at most 32 of A-Z a-z 0-9 _ -.');
      const added = await addFromCatalog(foldersOf(options).config, {
        ...{ vendor, only: options.only ?? [], prefix: options.prefix },
      });
      print(options, added, addedText(added));
    });
}

function listText(tools: readonly CatalogTool[]): string {
  const rows = tools.map(({ vendor, operation, labels, description }) => [
    vendor,
    operation,
    labels.join(','),
    description,
  ]);
  return table(['vendor', 'operation', 'labels', 'description'], rows);
}

function addedText({ files, tools, credentials }: AddedTools): string {
  return [
    ...files,
    '',
    'Before an agent can call them:',
    ...credentials.map((name) => `  interlock credential set ${name}`),
    `  allow ${tools.length === 1 ? 'the tool' : 'the tools'} to an agent in policies/data.yaml`,
    '  interlock apply',
  ].join('\n');
}
