import { writeFile } from 'node:fs/promises';
import { sha256 } from '@interlock/contracts';
import { buildBundle, openBundle, signBundle } from '@interlock/policy';
import { displayPath, opaProgram, policyFolders, rulesOf } from '@interlock/policy-analysis';
import { processEnvironment, systemClock } from '@interlock/shell';
import type { Command } from 'commander';
import { readAuthor } from '../../author.ts';
import { foldersOf } from '../../folders.ts';
import { print } from '../../output.ts';
import { type CommonOptions, command } from '../options.ts';

interface BuildOptions extends CommonOptions {
  out: string;
  key?: string;
}

/** `interlock policy build`: compiles and signs policies, on any machine that has the author's key. */
export function buildCommand(): Command {
  return command(
    'build',
    'compile policies into a bundle and sign it; Interlock need not run',
    'interlock policy build my-interlock/policies --out policy.tar.gz',
  )
    .argument('[dir]', 'folder of policies (default: that of the configuration)')
    .option(
      '--out <file>',
      'file for the bundle; its signature is written to the same name with .jws added',
      'policy.tar.gz',
    )
    .option(
      '--key <file>',
      "the author's key (INTERLOCK_AUTHOR_KEY_FILE; default: keys/author.json of the data folder)",
    )
    .action(runBuild);
}

async function runBuild(dir: string | undefined, options: BuildOptions): Promise<void> {
  const { out, key } = options;
  const env = processEnvironment();
  const author = await readAuthor(
    foldersOf(options).data,
    key === undefined ? env : { ...env, INTERLOCK_AUTHOR_KEY_FILE: key },
  );
  const folders = await policyFolders(dir, foldersOf(options).config);
  const rules = await rulesOf(folders);
  const bytes = await buildBundle({ opaBin: opaProgram(env), folders, signal: new AbortController().signal });
  const digest = sha256(bytes);
  // A bundle that no decider would load is not signed.
  openBundle({ version: 1, digest, bytes: bytes.byteLength }, bytes);
  const signature = `${out}.jws`;
  await writeFile(out, bytes);
  await writeFile(signature, `${signBundle(bytes, author, systemClock.nowMs())}\n`);
  const own = rules.filter(({ folderIndex }) => folderIndex > 0).map(({ name }) => name);
  const built = {
    digest,
    bytes: bytes.byteLength,
    rules: rules.map(({ name }) => name),
    bundle: out,
    signature,
  };
  const lines = [
    `digest   ${digest}`,
    `size     ${bytes.byteLength} bytes`,
    `rules    ${rules.length}${own.length === 0 ? '' : `, of which yours: ${own.join(', ')}`}`,
    `written  ${displayPath(out)} and ${displayPath(signature)}, signed with ${author.keyId}`,
  ];
  print(options, built, lines.join('\n'));
}
