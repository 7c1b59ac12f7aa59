/** Draws command lines from a grammar, and holds the rule to finding what they start, or to not reading them. */
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filled, of } from './grammar.fixture.ts';
import { createJudge, DRAWS, type Judge } from './rule.fixture.ts';
import { readShell } from './shell.ts';

const ALLOWED = [
  'ls',
  'env',
  'sudo',
  'xargs',
  'find',
  'sh',
  'bash',
  'timeout',
  'nice',
  'nohup',
  'exec',
  'command',
  'busybox',
  'flock',
];
let judge: Judge;
beforeAll(async () => {
  judge = await createJudge({
    shell_arguments: {
      it: {
        commands: {
          ...Object.fromEntries(ALLOWED.map((name) => [name, {}])),
          git: { first: ['log', 'status'], denied: ['--output', '-o', '--ext-diff'] },
          head: { options: ['-n', '--lines'] },
          cat: { denied: ['/etc/*', '*.pem', 'secret.txt'] },
        },
        features: ['list', 'pipe', 'background', 'redirect', 'substitution', 'assignment', 'compound'],
      },
    },
  });
});
afterAll(() => judge[Symbol.asyncDispose]());

function verdict(command: string): Promise<string> {
  return judge.judge({ parse: [{ at: '/command', as: 'shell' }], args: { command } });
}

/** Commands that are not allowed, and arguments that are not. */
const harm = of(
  'rm -rf x',
  'rm x',
  '/bin/rm x',
  'curl evil.example',
  'flock - rm ls',
  'python3 -c x',
  'git push',
  'git -C /x log',
  'git -c alias.log=!rm log',
  'git log --output=x',
  'git log --outp x',
  'git log -output x',
  'git log -ox',
  'git log -po x',
  'git log --ext-diff',
  'head -c 5 x',
  'head -n5 x',
  'head -qn 5 x',
  'head -n=c x',
  'head +5 x',
  'head --bytes=5 x',
  'cat /etc/passwd',
  'cat -n/etc/passwd',
  'cat -vA/etc/passwd',
  'cat --file=/etc/passwd',
  'cat if=/etc/passwd',
  'cat @/etc/passwd',
  'cat host:/etc/passwd',
  'cat a,/etc/passwd',
  'cat -xsecret.txt',
  'cat --in=secret.txt',
  'cat a.pem',
  'cat -fa.pem',
);

/** Ways to start a command from another one. `<it>` is the command, `<quoted>` the same in single quotes. */
const wrappers = [
  'env <it>',
  'env -i A=1 B=2 <it>',
  'env -u A -C /tmp <it>',
  'env --unset=A <it>',
  'env - <it>',
  'env -S <quoted>',
  'sudo <it>',
  'sudo -nu bob -- <it>',
  'sudo --user=bob A=1 <it>',
  'sudo -s <it>',
  'doas -u bob <it>',
  'xargs <it>',
  'xargs -0 -n 1 -P4 <it>',
  'xargs -I{} <it> {}',
  'xargs -i <it>',
  'find . -exec <it> {} ;',
  "find . -name x -exec <it> ';'",
  'find . -execdir <it> {} +',
  'find . -ok <it> \\;',
  'find . -exec ls \\; -exec <it> \\;',
  'timeout 5 <it>',
  'timeout -s KILL --kill-after=3 5 <it>',
  'nice <it>',
  'nice -n 5 <it>',
  'nice -5 <it>',
  'nohup <it>',
  'nohup <it> &',
  'setsid -w <it>',
  'stdbuf -oL <it>',
  'ionice -c 3 <it>',
  'flock /tmp/x <it>',
  'flock /tmp/x -c <quoted>',
  'taskset -c 0 <it>',
  '/usr/bin/time -f %e <it>',
  'time <it>',
  'watch -n 5 <it>',
  'watch <quoted>',
  'exec <it>',
  'exec -a x <it>',
  'command <it>',
  'command -p <it>',
  'builtin eval <quoted>',
  'eval <it>',
  'eval <quoted>',
  'busybox <it>',
  'busybox sh -c <quoted>',
  'sh -c <quoted>',
  'bash -ec <quoted>',
  'bash -o pipefail -c <quoted>',
  'sh +c <quoted>',
  'bash -oc vi <quoted>',
  'bash -co vi <quoted>',
  'bash -Oc extglob <quoted>',
  'bash -rcfile ls -c <quoted>',
  'env sh -c <quoted>',
  'xargs sh -c <quoted> _',
  'su bob -c <quoted>',
  'su -c <quoted>',
  'runuser -u bob <it>',
  'ssh -p 22 host <it>',
  'ssh -o ProxyCommand=<quoted> host',
  'ssh host -o ProxyCommand=<quoted>',
  'script -qc <quoted> /dev/null',
  'script /dev/null -c <quoted>',
  'trap <quoted> EXIT',
  'trap -- <quoted> EXIT',
  'alias ls=<quoted>; ls',
  'strace -f <it>',
  'unshare -r <it>',
  'parallel <it>',
  'chroot / <it>',
  'coproc <it>',
  'hash -p /bin/rm ls; <it>',
  'ls; <it>',
  'ls && <it>',
  'ls || <it>',
  'ls | <it>',
  'ls & <it>',
  'ls\n<it>',
  'ls $(<it>)',
  'ls "$(<it>)"',
  'ls `<it>`',
  'ls <(<it>)',
  'ls > x; <it>',
  'ls > $(<it>)',
  '(<it>)',
  '{ <it>; }',
  'if <it>; then ls; fi',
  'if ls; then <it>; else ls; fi',
  'while <it>; do ls; done',
  'until ls; do <it>; done',
  'for i in 1; do <it>; done',
  'case x in x) <it>;; esac',
  'f() { <it>; }; f',
  '! <it>',
  'X=1 <it>',
  'X=$(<it>) ls',
  'cat <<EOF\n$(<it>)\nEOF',
  'ls # x\n<it>',
];

/** A command inside up to three others. */
function wrapped(command: fc.Arbitrary<string>, templates: string[]): fc.Arbitrary<string> {
  return fc
    .array(of(...templates), { minLength: 1, maxLength: 3 })
    .chain((ways) =>
      command.map((it) =>
        ways.reduce((inner, way) => way.replaceAll('<it>', inner).replaceAll('<quoted>', quoted(inner)), it),
      ),
    );
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The same command with a name that is written in another way. */
const respelled = fc.tuple(harm, fc.nat(6)).map(([text, way]) => {
  const [name = '', ...rest] = text.split(' ');
  const [first = '', others] = [name[0], name.slice(1)];
  const spellings = [
    name,
    name,
    `${first}''${others}`,
    `"${name}"`,
    `\\${name}`,
    `${first}\\\n${others}`,
    `'${first}'${others}`,
  ];
  return [spellings[way] ?? name, ...rest].join(' ');
});

describe('[P-rules-hold] shell_arguments', () => {
  test('denies a command or an argument that is not allowed, whatever starts it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(respelled, wrapped(respelled, wrappers)), async (command) => {
        expect(await verdict(command), command).toMatch(/^deny.* shell_arguments/);
      }),
      DRAWS,
    );
  }, 120_000);

  test('allows what is listed, also where another command starts it', async () => {
    const plain = of('ls -la x', 'git log --oneline -p', 'head -n 5 x', 'cat x y', 'ls');
    const words = [
      '<it>',
      'env A=1 <it>',
      'sudo -u bob <it>',
      'timeout 5 <it>',
      'nice -n 5 <it>',
      'sh -c <quoted>',
    ];
    const lines = [
      '<it>',
      'ls && <it>',
      '( <it> )',
      'ls | <it>',
      'ls $(<it>)',
      'if <it>; then ls; fi',
      'find . -name x -exec ls {} +',
      'find . -type f; <it>',
      'xargs -n 1 ls; <it>',
      'busybox <it>',
    ];
    const commands = filled(lines, { it: wrapped(plain, words) });
    await fc.assert(
      fc.asyncProperty(commands, async (command) => {
        expect(await verdict(command), command).toBe('allow allow_listed');
      }),
      { ...DRAWS, numRuns: 300 },
    );
  }, 120_000);
});

describe('[P-rules-hold] what a shell really starts', () => {
  const STUBS = ['rm', 'curl', 'mv'];
  const REAL = [
    'sh',
    'bash',
    'env',
    'xargs',
    'find',
    'timeout',
    'nice',
    'nohup',
    'ls',
    'cat',
    'true',
    'setsid',
    'stdbuf',
  ];
  let folder = '';

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'interlock-shell-'));
    await mkdir(path.join(folder, 'bin'));
    await mkdir(path.join(folder, 'work'));
    await writeFile(path.join(folder, 'work', 'x'), 'x\n');
    for (const name of STUBS) {
      const stub = path.join(folder, 'bin', name);
      await writeFile(stub, `#!/bin/sh\necho ${name} >>${folder}/started\n`);
      await chmod(stub, 0o755);
    }
    for (const name of REAL) {
      const found = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim();
      if (found.startsWith('/')) await symlink(found, path.join(folder, 'bin', name));
    }
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Runs a line in a shell that has only stubs and harmless programs, and returns the stubs that were started. */
  async function startedIn(command: string): Promise<string[]> {
    const log = path.join(folder, 'started');
    await writeFile(log, '');
    const environment = { PATH: path.join(folder, 'bin') };
    const options = {
      cwd: path.join(folder, 'work'),
      env: environment,
      stdio: 'ignore',
      timeout: 10_000,
    } as const;
    spawnSync('/bin/sh', ['-c', command], options);
    return (await readFile(log, 'utf8')).split('\n').filter((name) => name !== '');
  }

  test('is among the commands that are read, or the line is unreadable', async () => {
    const simple = filled(['<name> x', '<name>', '<name> -rf x', '"<name>" x', '\\<name> x', "<name>'' x"], {
      name: of(...STUBS),
    });
    const ways = wrappers.filter(
      (way) => !/sudo|doas|su |ssh|script|watch|while|until|for |alias|&/.test(way),
    );
    let seen = 0;
    await fc.assert(
      fc.asyncProperty(wrapped(simple, ways), async (command) => {
        const started = await startedIn(command);
        seen += started.length;
        const read = readShell(command);
        if (read === undefined) return;
        const names = read.commands.map(({ name }) => name?.split('/').at(-1));
        for (const name of started) expect(names, command).toContain(name);
      }),
      { ...DRAWS, numRuns: 300 },
    );
    expect(seen).toBeGreaterThan(50);
  }, 240_000);
});
