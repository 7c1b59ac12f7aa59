import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { processEnvironment } from '@interlock/shell';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { describeRules, rulesPage } from './docs.ts';

const { INTERLOCK_OPA_BIN: opaBin = 'opa' } = processEnvironment();
const DEADLINE_MS = 25_000;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'interlock-docs-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(rule: string, text: string): Promise<void> {
  await mkdir(path.join(folder, 'rules', rule), { recursive: true });
  await writeFile(path.join(folder, 'rules', rule, `${rule}.rego`), text);
}

const described = () => describeRules({ opaBin, folder, signal: AbortSignal.timeout(DEADLINE_MS) });

describe('a page about rules', () => {
  test('is not generated when a rule cannot be parsed: file and line are reported', async () => {
    await write('broken', 'package interlock.rules.broken\n\ndeny contains if {\n');
    await expect(described()).rejects.toMatchObject({
      code: 'configuration_invalid',
      detail: expect.stringMatching(/broken\.rego:3/),
    });
  });

  test('leaves out rules without METADATA', async () => {
    await write('silent', 'package interlock.rules.silent\n');
    await expect(described()).resolves.toEqual([]);
  });

  test('has the METADATA of each rule', async () => {
    await write('plain', '# METADATA\n# title: Plain\npackage interlock.rules.plain\n');
    await write(
      'caps',
      [
        '# METADATA',
        '# title: Caps',
        '# description: Denies too much.',
        '# custom:',
        '#   severity: high',
        '#   owasp_asi: [ASI02, ASI10]',
        '#   stops: A flood.',
        '#   example: The eleventh is denied.',
        '#   data: |',
        '#     caps:',
        '#       most: 10',
        'package interlock.rules.caps',
        '',
      ].join('\n'),
    );
    expect(rulesPage(await described())).toBe(`# Rules

Generated from the METADATA of each rule by \`interlock policy docs\`. How rules work together: [README](README.md).

| rule | effect | severity | risks (OWASP) |
| --- | --- | --- | --- |
| [\`caps\`](#caps) | Caps | high | ASI02 ASI10 |
| [\`plain\`](#plain) | Plain |  |  |

## caps

**Caps.** Denies too much.

**Stops:** A flood.

**Example:** The eleventh is denied.

\`\`\`yaml
config:
  caps:
    most: 10
\`\`\`

## plain

**Plain.**
`);
  });
});
