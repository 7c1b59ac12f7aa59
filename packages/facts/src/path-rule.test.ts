/** Draws paths as an attacker would write them, and holds the rule to finding where each leads, or to not reading it. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filled, of } from './grammar.fixture.ts';
import { createJudge, DRAWS, type Judge } from './rule.fixture.ts';

let judge: Judge;
beforeAll(async () => {
  judge = await createJudge({
    path_arguments: {
      it: { roots: ['/srv/data', 'reports'], denied: ['salaries', '*.bak'], odd_characters: true },
    },
  });
});
afterAll(() => judge[Symbol.asyncDispose]());

function verdict(path: string | string[]): Promise<string> {
  return judge.judge({ parse: [{ at: '/path', as: 'path' }], args: { path } });
}

const root = of('/srv/data', 'reports', '/srv/data/2026', 'reports/x');
const slash = of('/', '//', '/./', '\\', '%2f', '%2F', '%5c', '%252f', '%c0%af', '\uff0f', '%u2215', '\\/');
const plainSlash = of('/', '//', '/./');
const dots = of(
  '..',
  '%2e%2e',
  '.%2e',
  '%2E.',
  '%252e%252e',
  '%25252e.',
  '%c0%ae%c0%ae',
  '%u002e%u002e',
  '\uff0e\uff0e',
  '\u2025',
  '.. ',
  '..;x=1',
  '..%00',
);
const secret = of(
  '.env',
  '.ssh',
  '.git',
  '.hidden',
  'id_rsa',
  'ID_RSA',
  'Id_Ed25519',
  'server.pem',
  'server.KEY',
  'credentials',
  'credentials.json',
  'salaries',
  'SALARIES',
  'salaries.',
  'salaries ',
  'old.bak',
  'old.BAK. ',
  'salaries::$DATA',
  'server.pem:stream',
);

const strange = filled(
  [
    '<root><slash><dots><slash>x',
    '<root><slash>a<slash><dots><slash><dots><slash>etc<slash>passwd',
    '<dots><slash><root>',
    '<root><slash><dots>',
    '<root>/<secret>',
    '<root><plainSlash><secret>/x',
    '<root><plainSlash>a<plainSlash><secret>',
    '/etc/passwd',
    '/srv/datax/y',
    '/srv/data2',
    '/srv',
    '/',
    '.',
    'other/x',
    'reportsx/y',
    'x/reports/y',
    '~/x',
    '~root/x',
    'C:\\x',
    'C:/srv/data/x',
    '\\\\host\\share',
    'file:///srv/data/x',
    '%2fetc/passwd',
    '<root>/a\0b',
    '<root>/a\nb',
    '',
  ],
  { root, slash, plainSlash, dots, secret },
);

describe('[P-rules-hold] path_arguments', () => {
  test('denies a path that leads outside or through a secret, however it is written', async () => {
    await fc.assert(
      fc.asyncProperty(strange, fc.boolean(), async (path, isList) => {
        const paths = isList ? ['reports/x', path] : path;
        expect(await verdict(paths), JSON.stringify(path)).toMatch(/^deny.* path_arguments/);
      }),
      DRAWS,
    );
  }, 120_000);

  test('lets a path inside its roots through', async () => {
    const plain = filled(
      ['<root>/x', '<root>/a..b/c.txt', '<root>/a/./b', '<root>/100%', '<root>//x/', '<root>'],
      { root },
    );
    await fc.assert(
      fc.asyncProperty(plain, async (path) => {
        expect(await verdict(path), path).toBe('allow allow_listed');
      }),
      { ...DRAWS, numRuns: 200 },
    );
  }, 120_000);
});
