/** `interlock tools add` as an operator types it, in a folder that `interlock init` made. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadConfiguration } from '@interlock/cli';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { interlock } from '../deploy/local/src/command.fixture.ts';

let parent: string;
let config: string;

beforeEach(async () => {
  parent = await mkdtemp(path.join(tmpdir(), 'interlock-add-'));
  config = path.join(parent, 'my-interlock');
  expect((await interlock(['init', config])).code).toBe(0);
});
afterEach(() => rm(parent, { recursive: true, force: true }));

const add = (...args: string[]) => interlock(['tools', 'add', ...args, '--config', config]);
const toolFiles = async () => (await readdir(path.join(config, 'tools'))).sort();

const listSchema = z.object({
  tools: z.array(
    z.looseObject({ vendor: z.string(), operation: z.string(), credentials: z.array(z.string()) }),
  ),
});
const addedSchema = z.strictObject({
  vendor: z.string(),
  files: z.array(z.string()),
  tools: z.array(z.string()),
  credentials: z.array(z.string()),
});

describe('[P-catalog-add] a definition of the catalogue', () => {
  test('is refused where a vendor, an operation, a prefix or a configuration is not there', async () => {
    const before = await toolFiles();
    const refusals = [
      [await add('gitlab'), 1, /catalog_unknown: The catalogue has nothing of gitlab\.\n {2}It has .*github/],
      [
        await add('github', '--only', 'fork'),
        1,
        /catalog_unknown: The catalogue has no fork of github\.\n.*list_issues/,
      ],
      [await add('github', '--prefix', 'a b'), 2, /usage: A prefix/],
      [await add(), 2, /usage: Name a vendor/],
      [
        await interlock(['tools', 'add', 'github', '--config', parent]),
        1,
        /configuration_missing: .*people\.yaml/,
      ],
    ] as const;
    for (const [{ code, stdout, stderr }, expected, words] of refusals) {
      expect({ code, stdout }, stderr).toEqual({ code: expected, stdout: '' });
      expect(stderr).toMatch(words);
    }
    expect(await toolFiles()).toEqual(before);
  });

  test('replaces nothing, and of several none is copied then', async () => {
    expect((await add('github', '--only', 'list_issues')).code).toBe(0);
    const file = path.join(config, 'tools/github_list_issues.yaml');
    await writeFile(file, `${await readFile(file, 'utf8')}# mine\n`);
    const before = await toolFiles();
    const { code, stderr } = await add('github');
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /tool_present: .*github_list_issues\.yaml is there already\.\n.*Nothing was copied/,
    );
    expect(await toolFiles()).toEqual(before);
    expect(await readFile(file, 'utf8')).toMatch(/# mine\n$/);
  });

  test('is shown without being copied', async () => {
    const before = await toolFiles();
    expect((await add('--list')).stdout).toMatch(
      /^github +create_issue +writes,sends-external +Files an issue/m,
    );
    const { tools } = listSchema.parse(JSON.parse((await add('twilio', '--list', '--json')).stdout));
    expect(new Set(tools.map(({ vendor }) => vendor))).toEqual(new Set(['twilio']));
    expect(tools[0]?.credentials).toEqual(['twilio-account-sid', 'twilio-auth-token']);
    expect(await toolFiles()).toEqual(before);
  });

  test('becomes a tool of the configuration, with a word about what it still needs', async () => {
    const { code, stdout } = await add('github', '--only', 'list_issues', 'create_issue');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /interlock credential set github-token\n.*policies\/data\.yaml\n {2}interlock apply\n$/,
    );
    const { tools } = await loadConfiguration(config);
    const names = tools.flatMap((tool) => ('http' in tool ? [tool.name] : []));
    expect(names).toEqual(expect.arrayContaining(['github_list_issues', 'github_create_issue']));
    const text = await readFile(path.join(config, 'tools/github_create_issue.yaml'), 'utf8');
    const [, schema = ''] = /^\$schema: (.+)$/m.exec(text) ?? [];
    expect(JSON.parse(await readFile(path.resolve(config, 'tools', schema), 'utf8'))).toHaveProperty(
      '$schema',
    );
  });

  test('has another name by a prefix', async () => {
    const { stdout } = await add('github', '--only', 'github_get_issue', '--prefix', 'work_', '--json');
    expect(addedSchema.parse(JSON.parse(stdout))).toMatchObject({
      vendor: 'github',
      tools: ['work_github_get_issue'],
      credentials: ['github-token'],
    });
    const { tools } = await loadConfiguration(config);
    expect(tools.flatMap((tool) => ('http' in tool ? [tool.name] : []))).toContain('work_github_get_issue');
  });
});
