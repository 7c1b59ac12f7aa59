import { writeFile } from 'node:fs/promises';
import { describeRules, rulesPage } from '@interlock/policy';
import { displayPath, opaProgram, policyFolders } from '@interlock/policy-analysis';
import type { Command } from 'commander';
import { foldersOf } from '../../folders.ts';
import { print } from '../../output.ts';
import { type CommonOptions, command } from '../options.ts';

interface DocsOptions extends CommonOptions {
  out?: string;
}

/** As long as compiling a policy may take. */
const DEADLINE_MS = 60_000;

/** `interlock policy docs`: describes each rule from its METADATA. */
export function docsCommand(): Command {
  return command(
    'docs',
    'describe every rule: what it stops, an example, its data',
    'interlock policy docs my-interlock/policies --out RULES.md',
  )
    .argument('[dir]', 'folder of policies (default: that of the configuration)')
    .option('--out <file>', 'write the page to this file instead of printing it')
    .action(async (dir: string | undefined, options: DocsOptions) => {
      const signal = AbortSignal.timeout(DEADLINE_MS);
      const opaBin = opaProgram();
      const folders = await policyFolders(dir, foldersOf(options).config);
      const described = await Promise.all(folders.map((folder) => describeRules({ opaBin, folder, signal })));
      const rules = described.flat().sort((one, other) => (one.name < other.name ? -1 : 1));
      const page = rulesPage(rules);
      if (options.out === undefined) return print(options, { rules }, page);
      await writeFile(options.out, page);
      print(options, { rules, page: options.out }, `${rules.length} rules in ${displayPath(options.out)}`);
    });
}
