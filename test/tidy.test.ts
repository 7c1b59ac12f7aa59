/**
 * The rules of this repository as failing tests: which way imports point, where vendors stand, how long a file is, what
 * no file says, what every service has, and that every promise has a test. Complaints name file and line.
 */
import { describe, expect, test } from 'vitest';
import { requirements } from './requirements.ts';
import { looseVersions, manifestsOf, undeclared, unused } from './tidy/dependencies.ts';
import { secondChecks } from './tidy/gate-checks.ts';
import { circles, importsOf, outsideFences, wrongWays } from './tidy/imports.ts';
import { citationsIn, lostSources, unheld, unpromised } from './tidy/promises.ts';
import { linesLike, readSources } from './tidy/sources.ts';
import { privateWords } from './tidy/words.ts';

/** A file is one subject a reader can hold; most have about 150 lines. */
const LINES_MAX = 400;
const GENERATED =
  /^package-lock\.json$|^packages\/contracts\/schemas\/|\.golden\.|^deploy\/local\/set-up\/go\./;
/** The rules themselves, which must spell what they forbid. */
const RULES = /^test\/tidy/;
/** What makes real time pass: the polling of `eventually`, an upstream that is slow, a forced end, and the bench. */
const PACES = /^packages\/testkit\/src\/(eventually|upstream|processes)\.ts$|^test\/bench\//;

const sources = readSources();
const written = sources.filter(({ path }) => !GENERATED.test(path));
const code = written.filter(({ isCode }) => isCode);
const ruled = code.filter(({ path }) => !RULES.test(path));
const typescript = ruled.filter(({ path }) => path.endsWith('.ts'));
const imports = importsOf(code);
const manifests = manifestsOf(sources);

describe('[P-repository-rules] imports', () => {
  test('point down the floors: contracts ← keys ← bus, shell, egress ← gate ← services ← deploy/local', () => {
    expect(wrongWays(imports)).toEqual([]);
  });

  test('never lead back to where they began', () => {
    expect(circles(imports)).toEqual([]);
  });

  test('of a vendor stand behind its one fence', () => {
    expect(outsideFences(imports)).toEqual([]);
  });

  test('are declared by the package they stand in', () => {
    expect(undeclared(imports, manifests)).toEqual([]);
  });

  test('use what is declared, all of it, at one exact version', () => {
    expect([...unused(imports, manifests, sources), ...looseVersions(manifests)]).toEqual([]);
  });
});

describe('[P-repository-rules] a file', () => {
  test(`has at most ${LINES_MAX} lines; aim for 150`, () => {
    const long = code.filter(({ lines }) => lines.length > LINES_MAX + 1);
    expect(long.map(({ path, lines }) => `${path}:${lines.length}: split it by subject`)).toEqual([]);
  });

  test('is named for its subject', () => {
    const vague = /^(utils?|helpers?|common|manager|handlers?|impl|data|info|misc|shared)$/;
    const names = code.filter(({ path }) =>
      path
        .split('/')
        .at(-1)
        ?.split(/[.\-_]/)
        .some((word) => vague.test(word)),
    );
    expect(names.map(({ path }) => `${path}:1: name it for what it holds`)).toEqual([]);
  });

  test.each<[string, RegExp]>([
    ['re-exports everything of another', /^export \*/],
    ['exports a default', /^export default\b|^export \{ default/],
    ['declares an enum', /^\s*(export )?(const |declare )*enum\s/],
    ['silences the types', /\bas any\b|\bas unknown as\b|@ts-(ignore|expect-error|nocheck)/],
    ['calls a test `it`', /^import \{.*\bit\b.*\} from 'vitest'|^\s+it,$/],
    ['logs an error under another key than err', /\.(fatal|error|warn|info|debug|trace)\(\{ error\b/],
    ['silences the linter without saying why', /biome-ignore(-all)?(?!(-all)? lint\/\S+: \w)/],
  ])('never %s', (words, pattern) => {
    const files = typescript.filter(({ path }) => path !== 'vitest.config.ts');
    expect(linesLike(files, pattern, `${words}`)).toEqual([]);
  });

  test('leaves nothing to be done later', () => {
    expect(linesLike(ruled, /\b(TODO|FIXME|XXX|HACK)\b/, 'do it, or delete it')).toEqual([]);
  });

  test('reads no environment but in one place', () => {
    const files = typescript.filter(({ path, isTest }) => !isTest && path !== 'packages/shell/src/config.ts');
    expect(linesLike(files, /process\.env/, 'take configuration from the shell')).toEqual([]);
  });

  test('leaves ending the process to the shell', () => {
    const files = typescript.filter(({ path, isTest }) => !isTest && path !== 'packages/shell/src/run.ts');
    expect(linesLike(files, /\bprocess\.exit\(/, 'return, or throw')).toEqual([]);
  });

  test('says what it means in words that a reader from outside knows', () => {
    expect(privateWords(written.filter(({ path }) => !RULES.test(path)))).toEqual([]);
  });

  test('names no machine and no registry', () => {
    const files = written.filter(({ path }) => !RULES.test(path));
    const places =
      /(^|[\s'"`=(:])\/(root|work|home|Users)\/|\bregistry\.npmjs\.org|\bartifactory\b|\.internal\//;
    expect(linesLike(files, places, 'a place of one machine')).toEqual([]);
    const lock = sources.filter(({ path }) => path === 'package-lock.json');
    expect(linesLike(lock, /"resolved": "https?:/, 'a registry', /https:\/\/registry\.npmjs\.org\//)).toEqual(
      [],
    );
  });
});

describe('[P-repository-rules] a test', () => {
  const tests = ruled.filter(({ path }) => path.endsWith('.test.ts'));

  test('is never skipped, and never alone', () => {
    const held = /\b(test|it|describe)(\.\w+)*\.(skip|only|todo|skipIf|runIf|fails)\b/;
    expect(linesLike(tests, held, 'run it, or delete it')).toEqual([]);
  });

  test('does not mock', () => {
    expect(
      linesLike(tests, /\bvi\.(mock|fn|spyOn|useFakeTimers|stubGlobal)\b/, 'use the real thing'),
    ).toEqual([]);
  });

  test('does not sleep: it waits for what it is about', () => {
    const files = ruled.filter(({ path, isTest }) => isTest && !PACES.test(path));
    const sleeps =
      /\bsetTimeout\b|\bawait (sleep|delay)\(|\beventually\([^\n]*\b(Date|performance)\.now\(\)|\bvi\.wait/;
    expect(linesLike(files, sleeps, 'wait for an event, with eventually()')).toEqual([]);
  });

  test('expects nothing of the clock on the wall: another machine is slower', () => {
    const clocks = /\bexpect\([^\n]*\b(performance|Date)\.now\(\) ?-/;
    expect(linesLike(tests, clocks, 'count, or measure with processorMs()')).toEqual([]);
  });

  const citations = citationsIn(code.filter(({ path }) => path.endsWith('.test.ts')));

  test('cites only what is promised', () => {
    expect(unpromised(citations, requirements)).toEqual([]);
  });

  test('stands behind every promise, in the layer that holds it', () => {
    expect(unheld(citations, requirements)).toEqual([]);
  });

  test('is about a promise that comes from somewhere', () => {
    expect(lostSources(requirements, new Set(sources.map(({ path }) => path)))).toEqual([]);
  });
});

describe('[P-repository-rules] a service', () => {
  const services = manifests.map(({ folder }) => folder).filter((folder) => folder.startsWith('services/'));

  test('says what it consumes, emits and owns, its limits and how it fails', () => {
    const missing = services.flatMap((folder) => {
      const readme = sources.find(({ path }) => path === `${folder}/README.md`)?.text ?? '';
      return ['consumes', 'emits', 'owns', 'limits', 'fails']
        .filter((word) => !new RegExp(`^(#+ |\\*\\*|- \\*\\*|\\| ).*\\b${word}\\b`, 'im').test(readme))
        .map((word) => `${folder}/README.md: has no heading for what it ${word}`);
    });
    expect(missing).toEqual([]);
  });

  test('has its wiring in main.ts and its variables in config.ts', () => {
    const missing = services.flatMap((folder) =>
      ['src/main.ts', 'src/config.ts'].filter(
        (file) => !sources.some(({ path }) => path === `${folder}/${file}`),
      ),
    );
    expect(missing).toEqual([]);
  });
});

describe('[P-repository-rules] a check that decides about safety', () => {
  test('stands once, in packages/gate', () => {
    expect(secondChecks(typescript)).toEqual([]);
  });

  test.each([
    "const decision = verifyStatement(jws, 'decision', keyring, nowMs);",
    'if (callDigestOf(call) !== call.callDigest) throw new Fault();',
    'if (held.digest === callDigestOf(call)) return;',
    'if (sha256(call.arguments) !== decision.argumentsDigest) throw new Fault();',
    'const isSame = question.argumentsDigest === sha256(held.call.arguments);',
    'const unknown = unknownObligation(decision.obligations);',
    'const version = toolVersionOf(tool);',
    'if (known.version !== decision.toolVersion) throw new Fault();',
    'const copy = watch.current ? watch.get(key) : undefined;\n  return copy ?? (await entries.get(key))?.value;',
    'return switchKeysOf(call).some((key) => switches.get(key)?.on);',
  ])('is found where it is made a second time: %s', (text) => {
    const source = { path: 'services/x/src/check.ts', text, lines: [text], isCode: true, isTest: false };
    expect(secondChecks([source])).toHaveLength(1);
  });
});

test('[P-repository-rules] a policy rule has a folder, and a test beside it', () => {
  const rego = code.filter(({ path }) => /^policies\/rules\//.test(path)).map(({ path }) => path);
  const rules = rego.filter((path) => !path.endsWith('_test.rego'));
  expect(rules.length).toBeGreaterThan(0);
  expect(rules.filter((path) => !rego.includes(path.replace(/\.rego$/, '_test.rego')))).toEqual([]);
});
