import path from 'node:path';
import { lintRules, policyFolders, testPolicies } from '@interlock/policy-analysis';
import { failureOf } from '@interlock/shell';
import { type Command, InvalidArgumentError } from 'commander';
import { configurationAround, folderAround } from '../../configuration-around.ts';
import { exitCodes, failureText, usage } from '../../exit-codes.ts';
import { foldersOf } from '../../folders.ts';
import { print, report as tell } from '../../output.ts';
import { type TestReport, testMarkdown, testText } from '../../policy/test-text.ts';
import { runOnChanges } from '../../policy/watching.ts';
import { type CommonOptions, command } from '../options.ts';

interface TestOptions extends CommonOptions {
  run?: RegExp;
  coverageMin?: number;
  mine?: boolean;
  watch?: boolean;
  markdown?: boolean;
}

const NOTES = `
A case about a tool or an agent of the configuration has what its file says of it: labels, environment, what a call
spends, what its arguments hold, and the user, tenant and roles of the agent. What a case gives itself is used instead.
Where Regal is installed (on the PATH, or INTERLOCK_REGAL_BIN), its findings about your own rules are warnings.`;

/** `interlock policy test`: runs Rego tests and cases in YAML, and measures how much of each rule they reach. */
export function testCommand(): Command {
  return command(
    'test',
    'run the tests and cases of policies; Interlock need not run',
    'interlock policy test examples/quickstart/policies --coverage-min 90',
  )
    .argument('[dir]', 'folder of policies (default: that of the configuration)')
    .option(
      '--run <pattern>',
      'run only tests and cases whose rule or name matches this regular expression',
      pattern,
    )
    .option('--coverage-min <percent>', 'fail when the tests of a rule reach less of its lines', percent)
    .option('--mine', 'leave out the tests and the coverage of the rules that come with Interlock')
    .option('--watch', 'run again whenever a file changes, until Ctrl-C')
    .option('--markdown', 'print the report as Markdown, for a pull request')
    .addHelpText('after', NOTES)
    .action(runTest);
}

async function runTest(dir: string | undefined, options: TestOptions): Promise<void> {
  if (options.watch !== true) return await runOnce(dir, options);
  if (options.json === true) throw usage('--watch prints one report after another, and --json one document.');
  const work = async () => {
    process.exitCode = exitCodes.done;
    // A rule that does not compile yet ends nothing.
    await runOnce(dir, options).catch((error: unknown) =>
      process.stderr.write(failureText(failureOf(error))),
    );
    tell('waiting for a change; Ctrl-C ends');
  };
  await runOnChanges(await watchedFolders(dir, options), work, new AbortController().signal);
}

async function watchedFolders(dir: string | undefined, options: TestOptions) {
  const { config } = foldersOf(options);
  const around = await folderAround(dir, config);
  // The data folder may be in the configuration folder, so that one is not watched whole.
  return {
    flat: around === undefined ? [] : [around],
    whole: [
      ...(await policyFolders(dir, config)).slice(1),
      ...(around === undefined ? [] : ['tools', 'agents'].map((name) => path.join(around, name))),
    ],
  };
}

async function runOnce(dir: string | undefined, options: TestOptions): Promise<void> {
  const { run: only, coverageMin, mine } = options;
  const { config } = foldersOf(options);
  const { signal } = new AbortController();
  const folders = await policyFolders(dir, config);
  const { mistakes: configuration, known } = await configurationAround(dir, config);
  const tested = await testPolicies(folders, { only, coverageMin, known, mine, signal });
  const own = folders.length > 1 ? folders.at(-1) : undefined;
  const lint = own === undefined ? [] : await lintRules(own, signal);
  const report: TestReport = {
    ...tested,
    configuration,
    ...(lint === undefined ? {} : { lint }),
    passed: tested.passed && configuration.refused.length === 0,
  };
  print(options, report, options.markdown === true ? testMarkdown(report) : testText(report));
  if (!report.passed) process.exitCode = exitCodes.failed;
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw new InvalidArgumentError('Write a regular expression.');
  }
}

function percent(text: string): number {
  const share = Number(text);
  if (/^\d{1,3}(\.\d)?$/.test(text) && share <= 100) return share;
  throw new InvalidArgumentError('Write a number from 0 to 100.');
}
