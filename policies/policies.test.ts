import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { processEnvironment } from '@interlock/shell';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

const DEADLINE_MS = 25_000;
const folder = import.meta.dirname;

async function opa(...argv: string[]): Promise<unknown> {
  const { INTERLOCK_OPA_BIN: program = 'opa' } = processEnvironment();
  const { stdout } = await promisify(execFile)(program, argv, { cwd: folder, timeout: DEADLINE_MS });
  return stdout === '' ? undefined : JSON.parse(stdout);
}

const testsSchema = z.array(
  z.object({ package: z.string(), fail: z.boolean().optional(), error: z.unknown().optional() }),
);
const annotationsSchema = z.object({
  annotations: z.array(
    z.object({
      path: z.array(z.object({ value: z.string() })),
      annotations: z.object({
        scope: z.string(),
        title: z.string(),
        description: z.string(),
        custom: z
          .strictObject({
            severity: z.enum(['low', 'medium', 'high', 'critical']),
            owasp_asi: z.array(z.string().regex(/^ASI(0[1-9]|10)$/)).min(1),
          })
          .optional(),
      }),
    }),
  ),
});

let rules: string[];

beforeAll(async () => {
  rules = (await readdir(path.join(folder, 'rules'))).sort();
});

describe('the policies', () => {
  it('pass the strict checks of opa', async () => {
    await expect(opa('check', '--strict', 'main', 'rules')).resolves.toBeUndefined();
  });

  it('pass their own tests, and each rule has some', async () => {
    const results = testsSchema.parse(await opa('test', '--format', 'json', 'main', 'rules'));
    expect(results.filter(({ fail, error }) => fail === true || error !== undefined)).toEqual([]);
    const tested = new Set(results.map((result) => result.package));
    for (const rule of rules) expect(tested).toContain(`data.interlock.rules.${rule}_test`);
  });

  it('[P-rules-tested] have one folder, one file and one test file for each rule', async () => {
    for (const rule of rules) {
      const files = await readdir(path.join(folder, 'rules', rule));
      expect(files.sort()).toEqual([`${rule}.rego`, `${rule}_test.rego`]);
    }
  });

  it('[P-rules-tested] say of each rule what it stops, how severe that is, and which risks of agents it is about', async () => {
    const { annotations } = annotationsSchema.parse(await opa('inspect', '-a', '--format', 'json', '.'));
    const described = annotations.flatMap(({ path: where, annotations: { custom, scope } }) =>
      custom === undefined || scope !== 'package' ? [] : [where.map(({ value }) => value).join('.')],
    );
    expect(described.sort()).toEqual(rules.map((rule) => `data.interlock.rules.${rule}`));
  });
});
