/** The commands that pages show: that they exist, and who runs them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { interlockProgram } from '../../deploy/local/src/main.ts';
import { root } from '../tidy/sources.ts';
import type { Page } from './pages.ts';

/** What begins a command in a block that has no language of its own, or in a line of prose. */
const PROGRAM = /^(npm|npx|node|vitest|interlock|curl|nats|redis-cli|grep|cd|rm|NODE_OPTIONS)\b/;

/** A command line, with the test that runs it, perhaps on a folder of its own, or in words why no test does. */
export const commandLines: Readonly<Record<string, string>> = {
  'npm run demo': 'test/demo.test.ts',
  'npm test': '.ci/run',
  'npm test -- packages/bus/src/rpc.test.ts': 'deploy/local/set-up/run.test.ts',
  'npm run types': '.ci/run',
  'npm run lint': '.ci/run',
  'npm run tidy': '.ci/run',
  'npm run verify': '.ci/run',
  'npm run format': 'it changes the files it is run on',
  'npm run bench': 'it takes minutes; its quick form is run by test/readme.test.ts',
  'npm run bench -- --quick --json': 'test/readme.test.ts',
  'npm run bench -- [--json] [--quick] [--rates 100,500,1000] [--only line|policy]': 'its usage',
  'npm run bench -- --only policy': 'it takes minutes; its quick form is run by test/readme.test.ts',
  'npm run simulate': 'it takes minutes',
  'npm run simulate -- --seeds 20 --calls 500 --json': 'it takes minutes',
  'npm run lint:rego': 'deploy/local/set-up/run.test.ts',
  'npm run sbom': 'test/docs.test.ts',
  'npm run --silent sbom > sbom.spdx.json': 'test/docs.test.ts',
  'npm run dev': 'test/dev.test.ts',
  'node one-process.ts limiter broker': 'deploy/local/src/one-process.test.ts',
  'node deploy/local/src/one-process.ts limiter': 'deploy/local/src/one-process.test.ts',
  'node packages/contracts/src/write-schemas.ts': 'test/how-to.test.ts',
  'interlock tools try read-note \'{"id": 1}\' --dry-run': 'deploy/local/src/try-tool.test.ts',
  'interlock tools add --list': 'test/catalog-commands.test.ts',
  'interlock tools add github --only list_issues create_issue': 'test/catalog-commands.test.ts',
  'interlock policy test policies --coverage-min 90': 'test/docs.test.ts',
  'interlock policy test --mine --markdown >> "$GITHUB_STEP_SUMMARY"': 'deploy/local/src/policy-test.test.ts',
  'interlock policy simulate --since 7d --fail-on wider --markdown >> "$GITHUB_STEP_SUMMARY"':
    'test/policy-loop.test.ts',
  'interlock policy build policies --out policy.tar.gz': 'deploy/local/src/policy-build.test.ts',
  'grep -l CALL DATA/logs/*.log': 'it needs an installation that runs',
  'curl -s http://127.0.0.1:PORT/readyz': 'packages/shell/src/health.test.ts asks for the same',
  'NODE_OPTIONS=--inspect=0 npm run dev': 'it opens debuggers',
  'npm test -- --inspect-brk --no-file-parallelism services/limiter/src/charge.test.ts':
    'it waits for a debugger',
};

/** Pages whose commands are run by a test of their own, and the section that says that no test runs its commands. */
const ELSEWHERE = /^(README|docs\/policy-tutorial|docs\/how-to\/.*|examples\/.*)\.md$/;
const NOT_RUN =
  /^## [^\n]*\n(?:(?!^## ).)*\*\*no test runs the commands of this section\*\*(?:(?!^## ).)*/gms;

/** Returns the command lines of pages that nobody is said to run, and those said to be run that no page shows. */
export function unknownCommands(pages: readonly Page[]): string[] {
  const shown = pages.flatMap((page) => commandsOf(page).map((line) => ({ path: page.path, line })));
  return [
    ...shown
      .filter(({ line }) => !Object.hasOwn(commandLines, line))
      .map(({ path, line }) => `${path}: nobody is said to run: ${line}`),
    ...Object.keys(commandLines)
      .filter((known) => !shown.some(({ line }) => line === known))
      .map((known) => `no page shows: ${known}`),
  ];
}

function commandsOf(page: Page): string[] {
  if (ELSEWHERE.test(page.path)) return [];
  const passedOver = [...page.text.matchAll(NOT_RUN)].join('\n');
  const shown = [
    ...page.blocks
      .filter(({ language }) => language === 'sh' || language === '')
      .flatMap(({ text }) => text.split('\n').map((line) => line.trim()))
      .filter((line) => PROGRAM.test(line)),
    ...page.inline.map(({ text }) => text).filter((text) => /^(npm|node) /.test(text)),
  ];
  return shown.filter((line) => !passedOver.includes(line));
}

const manifestSchema = z.object({ scripts: z.record(z.string(), z.string()) });

/** Returns the scripts of npm that pages name and that are not there. */
export function unknownScripts(pages: readonly Page[]): string[] {
  const { scripts } = manifestSchema.parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
  return pages.flatMap(({ path, text }) =>
    [...text.matchAll(/npm run (?:--silent )?([a-z][a-z:]*)/g)]
      .filter(([, script = '']) => !Object.hasOwn(scripts, script))
      .map(([line]) => `${path}: there is no ${line}`),
  );
}

/** Returns the commands and options of `interlock` that pages name and that the program does not have. */
export function unknownInterlockCommands(pages: readonly Page[]): string[] {
  const named = pages.flatMap(({ path, inline, blocks }) => {
    const lines = [...inline, ...blocks.filter(({ language }) => language !== 'ts')].map(({ text }) => text);
    return lines
      .flatMap((text) => text.split('\n'))
      .flatMap((line) => [...line.matchAll(/(?:^|\| )(?:npm run )?interlock (?:-- )?([a-z-][^|;&)#]*)/g)])
      .map(([, words = '']) => ({ path, words: words.trim().split(/\s+/) }));
  });
  const program = interlockProgram();
  const complaints = named.flatMap(({ path, words }) =>
    complaintsAbout(words, program).map((complaint) => `${path}: ${complaint}`),
  );
  return [...new Set(complaints)];
}

function complaintsAbout(words: readonly string[], program: ReturnType<typeof interlockProgram>): string[] {
  let command = program;
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word);
    if (next === undefined) break;
    command = next;
  }
  const [first = ''] = words;
  if (command === program && !first.startsWith('-')) return [`there is no interlock ${first}`];
  const known = ['--help', ...command.options.map(({ long }) => long)];
  return words
    .flatMap((word) => /^--[a-z-]+/.exec(word)?.[0] ?? [])
    .filter((option) => !known.includes(option))
    .map((option) => `interlock ${command.name()} has no option ${option}`);
}
