import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import {
  buildBundle,
  describeRules,
  type RuleDescription,
  readCases,
  rulesPage,
  runCases,
} from '@interlock/policy';
import { processEnvironment } from '@interlock/shell';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const DEADLINE_MS = 25_000;
const folder = import.meta.dirname;
/** Everything but the cases, which opa would read as data. */
const REGO = ['main', 'rules', '--ignore', '*_cases.yaml'];

const { INTERLOCK_OPA_BIN: opaBin = 'opa' } = processEnvironment();

function described(): Promise<RuleDescription[]> {
  return describeRules({ opaBin, folder, signal: AbortSignal.timeout(DEADLINE_MS) });
}

async function opa(...argv: string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)(opaBin, argv, { cwd: folder, timeout: DEADLINE_MS });
  return stdout === '' ? undefined : JSON.parse(stdout);
}

const testsSchema = z.array(
  z.object({ package: z.string(), fail: z.boolean().optional(), error: z.unknown().optional() }),
);
/** The METADATA that every shipped rule must have. */
const descriptionSchema = z.strictObject({
  name: z.string(),
  title: z.string().min(1),
  description: z.string().min(1),
  severity: z.string(),
  owasp_asi: z.array(z.string()).min(1),
  stops: z.string().min(1),
  example: z.string().min(1),
  data: z.string().min(1),
  restricts: z.record(z.string().startsWith('/'), z.string()),
  widens: z.record(z.string().startsWith('/'), z.string()),
});

let rules: string[];

beforeAll(async () => {
  rules = (await readdir(path.join(folder, 'rules'))).sort();
});

describe('the policies', () => {
  test('pass the strict checks of opa', async () => {
    await expect(opa('check', '--strict', ...REGO)).resolves.toBeUndefined();
  });

  test('pass their own tests, and each rule has some', async () => {
    const results = testsSchema.parse(await opa('test', '--format', 'json', ...REGO));
    expect(results.filter(({ fail, error }) => fail === true || error !== undefined)).toEqual([]);
    const tested = new Set(results.map((result) => result.package));
    for (const rule of rules) expect(tested).toContain(`data.interlock.rules.${rule}_test`);
  });

  test('[P-rules-tested] have one folder for each rule, with its file, its tests and its cases', async () => {
    for (const rule of rules) {
      const files = await readdir(path.join(folder, 'rules', rule));
      expect(files.sort()).toEqual([`${rule}.rego`, `${rule}_cases.yaml`, `${rule}_test.rego`]);
    }
  });

  test('have cases about whole answers, so that no rule says more than is expected', async () => {
    for (const rule of rules) {
      const cases = await readFile(path.join(folder, 'rules', rule, `${rule}_cases.yaml`), 'utf8');
      expect(cases, rule).toMatch(/^whole: true$/m);
    }
  });

  test('[P-rules-tested] describe for each rule what it stops, its severity, and its OWASP risks', async () => {
    const descriptions = z.array(descriptionSchema).parse(await described());
    expect(descriptions.map(({ name }) => name)).toEqual(rules);
    for (const { name, data } of descriptions) expect(parse(data), name).toHaveProperty([name]);
  });

  test('[P-rules-tested] are described in RULES.md as their METADATA says', async () => {
    await expect(rulesPage(await described())).toMatchFileSnapshot('RULES.md');
  });

  test('[P-rules-tested] give the answers that the cases expect, and each rule has cases', async () => {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const [bundle, cases] = await Promise.all([
      buildBundle({ opaBin, folders: [folder], signal }),
      readCases(folder),
    ]);
    const results = runCases(bundle, cases);
    expect(
      results
        .filter(({ passed }) => !passed)
        .map(({ case: { file, line, name, expected }, actual }) => ({
          where: `${file}:${line}`,
          name,
          expected,
          actual,
        })),
    ).toEqual([]);
    const returned = new Set(
      cases.flatMap(({ expected: { reasons = [], notes = [] } }) =>
        [...reasons, ...notes].map(({ rule }) => rule),
      ),
    );
    expect(rules.filter((rule) => !returned.has(rule))).toEqual([]);
  });
});
