/** `interlock tools add` as an operator types it, in a folder that `interlock init` made. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { addFromCatalog, loadConfiguration } from '@interlock/cli';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { interlock } from '../deploy/local/src/command.fixture.ts';
import { copyExample } from '../deploy/local/src/example.ts';

let parent: string;
let config: string;

beforeEach(async () => {
  parent = await mkdtemp(path.join(tmpdir(), 'interlock-add-'));
  config = path.join(parent, 'my-interlock');
  await copyExample('quickstart', config);
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
  test.each([
    ['a vendor', { vendor: 'gitlab' }, 'catalog_unknown', /nothing of gitlab/, /github, .*twilio/],
    ['an operation', { only: ['fork'] }, 'catalog_unknown', /no fork of github/, /list_issues/],
    ['a short name', { prefix: 'x'.repeat(60) }, 'name_too_long', /64 characters/, /Nothing was copied/],
    ['a configuration', { config: '..' }, 'configuration_missing', /no people\.yaml/, /interlock init/],
  ])('is refused where there is not %s', async (_title, wrong, code, detail, next) => {
    const before = await toolFiles();
    const { config: where, ...chosen } = { config: '.', vendor: 'github', only: [], prefix: '', ...wrong };
    await expect(addFromCatalog(path.join(config, where), chosen)).rejects.toMatchObject({
      ...{ code, detail: expect.stringMatching(detail), next: expect.stringMatching(next) },
    });
    expect(await toolFiles()).toEqual(before);
  });

  test.each([
    ['without a vendor', [], /^interlock: usage: Name a vendor/],
    ['with a prefix that no name can have', ['github', '--prefix', 'a b'], /^interlock: usage: A prefix/],
  ])('is refused %s as wrong usage', async (_title, args, words) => {
    const { code, stderr } = await add(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(words);
  });

  test('replaces nothing, and of several none is copied then', async () => {
    const chosen = { vendor: 'github', prefix: '' };
    await addFromCatalog(config, { ...chosen, only: ['list_issues'] });
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
    expect(await toolFiles()).toEqual(before);
  });

  test('is shown as JSON, with the credentials that it needs', async () => {
    const { tools } = listSchema.parse(JSON.parse((await add('twilio', '--list', '--json')).stdout));
    expect(new Set(tools.map(({ vendor }) => vendor))).toEqual(new Set(['twilio']));
    expect(tools[0]?.credentials).toEqual(['twilio-account-sid', 'twilio-auth-token']);
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
