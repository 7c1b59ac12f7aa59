/**
 * Set-up as a user meets it: run.mjs is started as a process, in a small repository of its own, with a PATH and
 * a cache made for the test. Programs are short shell scripts that print a version: the test is about which one is chosen,
 * and what is printed when none can be.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '@interlock/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const TOOLS_FOLDER = dirname(fileURLToPath(import.meta.url));
/** A shell script starts on whatever machine this is. */
const BUILD_MS = 20_000;
const PROGRAMS = {
  'nats-server': 'nats-server: v2.15.2',
  opa: 'Version: 1.22.0',
  ferretdb: 'version: v1.24.0',
  'redis-server': 'Redis server v=7.2.4 sha=0',
  bwrap: 'bubblewrap 0.8.0',
};
/** Where a root user on Debian would get Redis; naming a program keeps apt-get out of every test. */
const REDIS_VARIABLE = 'INTERLOCK_REDIS_BIN';
/** The same holds for bubblewrap. */
const BWRAP_VARIABLE = 'INTERLOCK_BWRAP_BIN';

type Result = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string };

let folder: string;
let root: string;
let binaries: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'interlock-set-up-'));
  root = join(folder, 'repository');
  binaries = join(folder, 'bin');
  cpSync(TOOLS_FOLDER, join(root, 'deploy', 'local', 'set-up'), { recursive: true });
  mkdirSync(join(root, 'deploy', 'local', 'src'), { recursive: true });
  mkdirSync(join(root, 'node_modules', 'node', 'bin'), { recursive: true });
  mkdirSync(binaries);
  symlinkSync(process.execPath, join(root, 'node_modules', 'node', 'bin', 'node'));
  writeFileSync(join(root, 'package-lock.json'), '{}');
  writeFileSync(join(root, 'node_modules', '.interlock-lock-hash'), lockHash('{}'));
  program(join(folder, 'redis-server'), PROGRAMS['redis-server']);
  program(join(folder, 'bwrap'), PROGRAMS.bwrap);
  cli('console.log(JSON.stringify({ arguments: process.argv.slice(2), environment: process.env }));');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('set-up names what is missing', () => {
  test('[P-setup-bare-machine] one error names every missing program with three ways to supply each', async () => {
    const result = await interlock({}, []);
    expect(result.code).toBe(1);
    for (const name of ['nats-server', 'opa', 'ferretdb']) {
      const block = result.stderr.split('\n\n').find((text) => text.startsWith(`${name} is missing`)) ?? '';
      expect(block).toMatch(
        /1\. .*PATH.*INTERLOCK_\w+_BIN=[\s\S]*2\. .*container engine[\s\S]*3\. .*Go 1\.26/,
      );
    }
    expect(result.stderr).not.toContain('redis is missing');
    expect(result.stdout).toBe('');
  });

  test('a program the user names is never replaced by another when it is too old', async () => {
    programsOnPath();
    const old = program(join(folder, 'old-opa'), 'Version: 0.70.0');
    const result = await interlock({ INTERLOCK_OPA_BIN: old }, []);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(`${old} is version 0.70.0, wanted: 1.0 or newer, below 2`);
  });

  test('a program the user names and that does not exist stops the start', async () => {
    programsOnPath();
    const result = await interlock({ INTERLOCK_FERRETDB_BIN: join(folder, 'nowhere') }, []);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('INTERLOCK_FERRETDB_BIN is set and cannot be used: no such file');
  });

  test('a program on the PATH of a wrong version is not used, and is named', async () => {
    programsOnPath();
    program(join(binaries, 'nats-server'), 'nats-server: v2.10.1');
    const result = await interlock({}, []);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/nats-server is version 2\.10\.1, wanted: 2\.15 or newer/);
  });

  test('a Go that is too old is named', async () => {
    program(join(binaries, 'go'), 'go version go1.22.1 linux/amd64');
    const result = await interlock({}, []);
    expect(result.stderr).toContain('Go 1.22.1 is older than 1.26');
  });

  test('the output of a failed npm ci is shown', async () => {
    programsOnPath();
    writeFileSync(join(root, 'package-lock.json'), '{"changed":true}');
    script(join(binaries, 'npm'), 'echo "registry unreachable" >&2; exit 1');
    const result = await interlock({}, []);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/npm ci failed:\nregistry unreachable/);
  });

  test('the tests start their own servers, so an address does not replace a program', async () => {
    programsOnPath();
    rmSync(join(binaries, 'nats-server'));
    const result = await start('test', { NATS_URL: 'nats://127.0.0.1:4222' }, []).ended;
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('nats-server is missing');
  });
});

describe('set-up finds programs', () => {
  test('programs the user names win over the PATH', async () => {
    programsOnPath();
    const own = program(join(folder, 'my-opa'), 'Version: 1.5.0');
    const { environment } = parsed(await interlock({ INTERLOCK_OPA_BIN: own }, []));
    expect(environment).toMatchObject({
      INTERLOCK_OPA_BIN: own,
      INTERLOCK_NATS_SERVER_BIN: join(binaries, 'nats-server'),
    });
  });

  test('[P-setup-sandbox] the sandbox of local MCP servers is found on Linux, or done without, and then it is said', async () => {
    const isLinux = process.platform === 'linux';
    programsOnPath();
    const { environment } = parsed(await interlock({ [BWRAP_VARIABLE]: '' }, []));
    expect(environment[BWRAP_VARIABLE] === join(binaries, 'bwrap')).toBe(isLinux);
    rmSync(join(binaries, 'bwrap'));
    script(join(binaries, 'apt-get'), 'exit 1');
    const result = await interlock({ [BWRAP_VARIABLE]: '' }, []);
    expect(result.code).toBe(0);
    const said = 'bubblewrap is missing, so local MCP servers run without a sandbox';
    expect(result.stderr.includes(said)).toBe(isLinux);
  });

  test('a server whose address is given needs no program', async () => {
    programsOnPath();
    rmSync(join(binaries, 'nats-server'));
    const { environment } = parsed(await interlock({ NATS_URL: 'nats://127.0.0.1:4222' }, []));
    expect(environment).not.toHaveProperty('INTERLOCK_NATS_SERVER_BIN');
  });

  test('[P-setup-bare-machine] a missing program is taken from a container image and kept for the second run', async () => {
    programsOnPath();
    rmSync(join(binaries, 'opa'));
    fakeEngine('Version: 1.22.0');
    const first = await interlock({}, []);
    expect(first.stderr).toContain(
      'opa 1.22.0: from docker.io/openpolicyagent/opa:1.22.0-static with docker',
    );
    const cached = join(folder, 'cache', 'interlock', 'opa-1.22.0', 'opa');
    expect(parsed(first).environment).toMatchObject({ INTERLOCK_OPA_BIN: cached });
    rmSync(join(binaries, 'docker'));
    const second = await interlock({}, []);
    expect(second.stderr).toBe('');
    expect(parsed(second).environment).toMatchObject({ INTERLOCK_OPA_BIN: cached });
  });

  test('an image whose program does not run here leaves nothing behind, and a Go build follows', async () => {
    programsOnPath();
    rmSync(join(binaries, 'nats-server'));
    fakeEngine('not a version');
    fakeGo('nats-server: v2.15.2');
    const result = await interlock({}, []);
    expect(result.stderr).toContain('names no version');
    const built = join(folder, 'cache', 'interlock', 'nats-server-2.15.2', 'nats-server');
    expect(parsed(result).environment).toMatchObject({ INTERLOCK_NATS_SERVER_BIN: built });
  });

  test('two runs at once build a program once', async () => {
    programsOnPath();
    rmSync(join(binaries, 'nats-server'));
    fakeGo('nats-server: v2.15.2');
    const results = await Promise.all([interlock({}, []), interlock({}, [])]);
    expect(results.map((result) => result.code)).toEqual([0, 0]);
    expect(readFileSync(join(folder, 'builds'), 'utf8').trim().split('\n')).toHaveLength(1);
  });

  test('a lock left by a killed run does not stop the next one', async () => {
    programsOnPath();
    rmSync(join(binaries, 'nats-server'));
    endlessGo();
    const killed = start('interlock', {}, []);
    await eventually(() => existsSync(join(folder, 'build-pid')), BUILD_MS);
    killed.child.kill('SIGKILL');
    await killed.ended;
    process.kill(Number(readFileSync(join(folder, 'build-pid'), 'utf8')));
    fakeGo('nats-server: v2.15.2');
    expect((await interlock({}, [])).code).toBe(0);
  });

  test('[P-setup-bare-machine] npm ci runs again only when the lock file changed', async () => {
    programsOnPath();
    writeFileSync(join(root, 'package-lock.json'), '{"changed":true}');
    script(join(binaries, 'npm'), `echo "$@" >> ${folder}/installs`);
    expect((await interlock({}, [])).code).toBe(0);
    expect((await interlock({}, [])).code).toBe(0);
    expect(readFileSync(join(folder, 'installs'), 'utf8').trim().split('\n')).toHaveLength(1);
  });
});

describe('[P-setup-bare-machine] the linter of policies', () => {
  test('is missing with the ways to supply it, and no other program is needed', async () => {
    const result = await start('lint:rego', {}, []).ended;
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/regal is missing[\s\S]*PATH.*INTERLOCK_REGAL_BIN=[\s\S]*Go 1\.26/);
    expect(result.stderr).not.toContain('nats-server');
  });

  test('refuses an unknown option', async () => {
    const result = await start('lint:rego', { INTERLOCK_REGAL_BIN: fakeRegal() }, ['--fix']).ended;
    expect(result.code).toBe(1);
    expect(result.stderr).toContain("Unknown option '--fix'");
    expect(result.stdout).toBe('');
  });

  test('is built only for lint:rego', async () => {
    programsOnPath();
    fakeGo('Version: 0.39.0');
    expect((await interlock({}, [])).code).toBe(0);
    expect(existsSync(join(folder, 'builds'))).toBe(false);
    expect((await start('lint:rego', {}, []).ended).code).toBe(0);
    expect(existsSync(join(folder, 'cache', 'interlock', 'regal-0.39.0', 'regal'))).toBe(true);
  });

  test('lints policies/ by the rules of this repository, and its verdict is the exit code', async () => {
    const environment = { INTERLOCK_REGAL_BIN: fakeRegal() };
    const config = '--config-file .regal/config.yaml policies';
    expect(await start('lint:rego', environment, []).ended).toMatchObject({
      code: 3,
      stdout: `lint --format pretty ${config}\n`,
    });
    expect(await start('lint:rego', environment, ['--json']).ended).toMatchObject({
      code: 3,
      stdout: `lint --format json ${config}\n`,
    });
  });
});

describe('the command', () => {
  test('an unknown command is refused with the usage', async () => {
    const result = await start('nonsense', {}, []).ended;
    expect(result.code).toBe(2);
    expect(result.stderr).toContain('unknown command: nonsense');
    expect(result.stderr).toContain('usage:');
  });

  test('arguments and the exit code pass through', async () => {
    programsOnPath();
    expect(parsed(await interlock({}, ['up', '--json'])).arguments).toEqual(['up', '--json']);
    cli('process.exitCode = 7;');
    expect((await interlock({}, [])).code).toBe(7);
  });

  test('SIGTERM reaches the command, and its exit code is kept', async () => {
    programsOnPath();
    cli("process.on('SIGTERM', () => process.exit(3)); setInterval(() => {}, 1000); console.log('up');");
    const running = start('interlock', {}, []);
    await once(running.child.stdout, 'data');
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(3);
  });

  test('SIGTERM during set-up ends it and leaves no lock', async () => {
    programsOnPath();
    rmSync(join(binaries, 'nats-server'));
    endlessGo();
    const running = start('interlock', {}, []);
    await eventually(() => existsSync(join(folder, 'build-pid')), BUILD_MS);
    running.child.kill('SIGTERM');
    expect((await running.ended).code).toBe(143);
    expect(existsSync(join(folder, 'cache', 'interlock', 'nats-server-2.15.2.lock'))).toBe(false);
  });
});

function interlock(environment: Record<string, string>, args: string[]): Promise<Result> {
  return start('interlock', environment, args).ended;
}

/** Starts run.mjs with nothing in its environment but what is named here. */
function start(command: string, environment: Record<string, string>, args: string[]) {
  const child = spawn(
    process.execPath,
    [join(root, 'deploy', 'local', 'set-up', 'run.mjs'), command, ...args],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: binaries,
        HOME: folder,
        CI: 'true',
        XDG_CACHE_HOME: join(folder, 'cache'),
        [REDIS_VARIABLE]: join(folder, 'redis-server'),
        [BWRAP_VARIABLE]: join(folder, 'bwrap'),
        // The well-known folder of Go is outside the PATH; a build that is not meant to happen has to fail at once.
        GOPROXY: 'off',
        GOMODCACHE: join(folder, 'go'),
        GOCACHE: join(folder, 'go-build'),
        ...environment,
      },
    },
  );
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
  });
  const ended = new Promise<Result>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended };
}

function parsed(result: Result): { arguments: string[]; environment: Record<string, string> } {
  if (result.code !== 0) throw new Error(`run.mjs failed: ${result.stderr}`);
  return JSON.parse(result.stdout);
}

function programsOnPath(): void {
  for (const [name, version] of Object.entries(PROGRAMS)) program(join(binaries, name), version);
}

/** A program that prints a version whatever it is asked. */
function program(path: string, version: string): string {
  return script(path, `echo '${version}'`);
}

function script(path: string, body: string): string {
  rmSync(path, { force: true });
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** Answers `version`; otherwise says what it was asked and that the policies have violations. */
function fakeRegal(): string {
  const body = '[ "$1" = version ] && { echo Version: 0.39.0; exit; }; echo "$@"; exit 3';
  return script(join(folder, 'my-regal'), body);
}

/** Answers `info` and `create`, and copies out a program that prints `version`. */
function fakeEngine(version: string): void {
  const image = program(join(folder, 'image-program'), version);
  script(join(binaries, 'docker'), `[ "$1" = cp ] && exec /bin/cp ${image} "$4"; exit 0`);
}

/** Answers `version`, and writes a program that prints `version` to what follows -o, one line per build. */
function fakeGo(version: string): void {
  const built = program(join(folder, 'built-program'), version);
  const body = `[ "$1" = version ] && { echo go version go1.26.1 linux/amd64; exit; }
echo build >> ${folder}/builds
while [ "$1" != -o ]; do shift; done
exec /bin/cp ${built} "$2"`;
  script(join(binaries, 'go'), body);
}

/** Answers `version`; a build writes its process id and does not end by itself. */
function endlessGo(): void {
  const body = `[ "$1" = version ] && { echo go version go1.26.1; exit; }
echo $$ > ${folder}/build-pid.new; /bin/mv ${folder}/build-pid.new ${folder}/build-pid
exec /bin/sleep 60`;
  script(join(binaries, 'go'), body);
}

function cli(source: string): void {
  writeFileSync(join(root, 'deploy', 'local', 'src', 'main.ts'), source);
}

function lockHash(content: string): string {
  return createHash('sha256').update(content).update(`${process.platform}-${process.arch}`).digest('hex');
}
