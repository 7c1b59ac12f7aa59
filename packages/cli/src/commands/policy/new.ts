import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exists } from '@interlock/policy';
import { BASE_POLICIES, displayPath, ownFolder, ruleFiles } from '@interlock/policy-analysis';
import { Failure } from '@interlock/shell';
import type { Command } from 'commander';
import { usage } from '../../exit-codes.ts';
import { foldersOf } from '../../folders.ts';
import { print } from '../../output.ts';
import { type CommonOptions, command } from '../options.ts';

/** A rule's folder is its Rego package. */
const RULE_NAME = /^[a-z][a-z0-9_]{0,63}$/;

/** `interlock policy new`: creates a rule with its test and its cases. */
export function newCommand(): Command {
  return command(
    'new',
    'create a rule with its test and its cases, as a start for your own',
    'interlock policy new office_hours my-interlock/policies',
  )
    .argument('<name>', 'name of the rule: a-z, 0-9 and _')
    .argument('[dir]', 'folder of policies (default: that of the configuration)')
    .action(runNew);
}

async function runNew(name: string, dir: string | undefined, options: CommonOptions): Promise<void> {
  if (!RULE_NAME.test(name)) throw usage(`A rule's name consists of a-z, 0-9 and _; "${name}" does not.`);
  const own = await ownFolder(dir, foldersOf(options).config);
  for (const taken of [own, BASE_POLICIES].map((folder) => path.join(folder, 'rules', name)))
    if (await exists(taken))
      throw new Failure('rule_exists', `${displayPath(taken)} already exists.`, {
        next: 'Choose another name.',
      });
  const files: string[] = [];
  for (const [inside, content] of Object.entries(ruleFiles(name))) {
    const file = path.join(own, inside);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content, { flag: 'wx' });
    files.push(displayPath(file));
  }
  print(
    options,
    { rule: name, files },
    `${files.join('\n')}\n\nEdit them, then run: interlock policy test ${displayPath(own)}`,
  );
}
