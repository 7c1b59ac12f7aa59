/** What the documentation says about the repository is so: links, files, symbols, limits, decisions, commands. */
import { execFile } from 'node:child_process';
import { access, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadConfiguration } from '@interlock/cli';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { commandLines, unknownCommands, unknownInterlockCommands, unknownScripts } from './docs/commands.ts';
import { malformedDecisions, uncitedDecisions, unlistedDecisions } from './docs/decisions.ts';
import { unmarkedLimits, wrongLimits } from './docs/limits.ts';
import { readPages } from './docs/pages.ts';
import { deadLinks, unknownMessages, unknownPaths, unknownSymbols } from './docs/references.ts';
import { unheldThreats } from './docs/threats.ts';
import { requirements } from './requirements.ts';
import { readSources, root } from './tidy/sources.ts';

const SBOM_MS = 60_000;
/** Every Rego test and case, with coverage, on a machine that is busy with others. */
const POLICIES_MS = 120_000;
const OUTPUT_MAX_BYTES = 16 * 1_048_576;

const sources = readSources();
const pages = readPages(sources);
const readme = pages.find(({ path }) => path === 'README.md');

describe('[P-docs-true] the documentation', () => {
  test('links only to files and headings that are there', () => {
    expect(pages.length).toBeGreaterThan(20);
    expect(pages.flatMap((page) => deadLinks(page, pages))).toEqual([]);
  });

  test('names only files that are there', () => {
    expect(pages.flatMap(unknownPaths)).toEqual([]);
  });

  test('links a name of the code only to a file that holds it', () => {
    expect(pages.flatMap((page) => unknownSymbols(page, sources))).toEqual([]);
  });

  test('quotes a message of a log only as a service writes it', () => {
    const debugging = pages.filter(({ path }) => path === 'docs/debugging.md');
    expect(debugging.flatMap((page) => unknownMessages(page, sources))).toEqual([]);
  });

  test('repeats a limit only as the code has it', () => {
    expect(pages.flatMap((page) => wrongLimits(page, sources))).toEqual([]);
  });

  test('says of every number in a section about limits which constant holds it', () => {
    const readmes = pages.filter(({ path }) =>
      /^((packages|services)\/[^/]+|deploy\/local)\/README\.md$/.test(path),
    );
    expect(readmes.flatMap(unmarkedLimits)).toEqual([]);
  });
});

test('[P-docs-true] the page about tools shows only tools that are taken', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'interlock-tools-'));
  try {
    await cp(join(root, 'examples/quickstart'), folder, { recursive: true });
    const page = pages.find(({ path }) => path === 'docs/tools.md');
    const blocks = [...(page?.text ?? '').matchAll(/```yaml\n(.*?)```/gs)].map(([, block = '']) => block);
    expect(blocks.length).toBeGreaterThan(4);
    for (const [index, block] of blocks.entries())
      await writeFile(join(folder, `tools/shown-${index}.yaml`), block);
    const { tools } = await loadConfiguration(folder);
    expect(tools.length).toBeGreaterThan(blocks.length);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

describe('[P-docs-true] a promise', () => {
  test('whose source is the architecture has the section that it names', () => {
    const architecture = pages.find(({ path }) => path === 'docs/architecture.md');
    const named = Object.values(requirements).flatMap(
      ({ source }) => /^architecture: (.+)$/.exec(source)?.[1]?.replaceAll(' ', '-') ?? [],
    );
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((anchor) => architecture?.anchors.has(anchor) !== true)).toEqual([]);
  });
});

describe('[P-docs-true] the threat model', () => {
  const page = pages.find(({ path }) => path === 'docs/threat-model.md') ?? { text: '' };

  test('names for everything that an actor cannot do the tests that hold it', () => {
    expect(unheldThreats(page, requirements, sources)).toEqual([]);
  });

  test('is refused with a promise, a test or a table that is not there', () => {
    const broken = page.text
      .replace('`P-default-deny`', '`P-default-dny`')
      .replace('a data folder that others may write is refused', 'a data folder is refused')
      .replace('`P-secret-files`', '')
      .replace('## Operator', '## Operators');
    expect(unheldThreats({ text: broken }, requirements, sources)).toEqual([
      expect.stringContaining('Agent: call what no grant covers'),
      'Local user: nothing is named that holds: read a key, token or password',
      expect.stringMatching(/^Local user: have `up` use .*: there is no .*: a data folder is refused$/),
      'Operator: no table of what it cannot do',
    ]);
  });
});

describe('[P-docs-true] a decision', () => {
  test('has its number, its date, its context and its consequences', () => {
    expect(malformedDecisions(pages)).toEqual([]);
  });

  test('stands in the README’s list under its own title', () => {
    expect(readme === undefined ? ['no README'] : unlistedDecisions(pages, readme)).toEqual([]);
  });

  test('is cited where it holds, and nothing cites one that is not there', () => {
    expect(uncitedDecisions(pages, sources)).toEqual([]);
  });
});

describe('[P-docs-true] a command that the documentation shows', () => {
  test('is run by the test that is named for it, or is named as not run', async () => {
    expect(unknownCommands(pages)).toEqual([]);
    const files = Object.values(commandLines).filter((who) => !who.includes(' '));
    for (const file of files) await access(join(root, file));
  });

  test('of npm is a script of this repository', () => {
    expect(unknownScripts(pages)).toEqual([]);
  });

  test('of interlock is one of its commands, with options of that command', () => {
    expect(unknownInterlockCommands(pages)).toEqual([]);
  });
});

test(
  '[P-docs-true] the tests of the library’s policies reach as many lines as docs/policies.md asks for',
  async () => {
    const argv = ['deploy/local/src/main.ts', 'policy', 'test', 'policies', '--coverage-min', '90'];
    const { stdout } = await promisify(execFile)(process.execPath, argv, { cwd: root, timeout: POLICIES_MS });
    expect(stdout).toMatch(/^passed /m);
  },
  POLICIES_MS,
);

const sbomSchema = z.object({ spdxVersion: z.string(), packages: z.array(z.object({ name: z.string() })) });

test(
  '[P-docs-true] npm run sbom lists what runs, and nothing that is only for development',
  async () => {
    const options = { cwd: root, timeout: SBOM_MS, maxBuffer: OUTPUT_MAX_BYTES };
    const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'sbom'], options);
    const { spdxVersion, packages } = sbomSchema.parse(JSON.parse(stdout));
    const names = packages.map(({ name }) => name);
    expect(spdxVersion).toMatch(/^SPDX-/);
    expect(names).toEqual(expect.arrayContaining(['ioredis', 'mongodb', 'zod', 'ajv', 'ms']));
    expect(names.filter((name) => ['vitest', 'typescript', '@biomejs/biome'].includes(name))).toEqual([]);
  },
  SBOM_MS,
);
