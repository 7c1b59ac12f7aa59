/**
 * The entry to every command of this repository: prepares the machine, then runs the command with Node 24.
 * Plain JavaScript without dependencies, because it runs before there are any, on Node 20 or newer.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endChildren } from './child.mjs';
import { findNode, installPackages } from './dependencies.mjs';
import { provisionAll } from './provision.mjs';
import { BUBBLEWRAP, REGAL, TOOLS } from './tools.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const OLDEST_NODE_MAJOR = 20;
/** A faster set-up prints nothing. */
const SILENT_MS = 2_000;

const CLI = join(ROOT, 'deploy', 'local', 'src', 'main.ts');
const VITEST = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
const TURBO = join(ROOT, 'node_modules', 'turbo', 'bin', 'turbo');
const ALL_TOOLS = process.platform === 'linux' ? [...TOOLS, BUBBLEWRAP] : TOOLS;

/**
 * `ownServers`: the command always starts its own servers, so an address in the environment replaces no program.
 * `tools`: the programs it needs, when they are not those that Interlock runs on.
 */
const COMMANDS = {
  demo: { script: [CLI, 'demo'], ownServers: false, does: 'start everything and show governed tool calls' },
  dev: {
    script: [CLI, 'dev'],
    ownServers: false,
    does: 'an installation whose services are restarted when their source changes',
  },
  interlock: { script: [CLI], ownServers: false, does: 'the interlock command line (try: interlock --help)' },
  test: { script: [VITEST, 'run'], ownServers: true, does: 'all tests, or those whose path matches' },
  verify: {
    script: [
      TURBO,
      'run',
      'types',
      'lint',
      'tidy',
      'test',
      '--ui=stream',
      '--log-order=grouped',
      '--continue=dependencies-successful',
    ],
    ownServers: true,
    does: 'types, lint, tidy and all tests',
  },
  bench: {
    script: [join(ROOT, 'test', 'bench', 'main.ts')],
    ownServers: true,
    does: 'measure the line (--quick, --json)',
  },
  simulate: {
    script: [join(ROOT, 'test', 'simulate', 'main.ts')],
    ownServers: true,
    does: 'make calls and faults drawn from seeds, and check what held (--seeds, --json)',
  },
  // Not a part of verify: that would make every contributor wait for the build of the linter.
  'lint:rego': {
    script: [join(ROOT, 'deploy', 'local', 'set-up', 'lint-rego.mjs')],
    ownServers: true,
    tools: [REGAL],
    does: 'lint the policies with Regal (--json)',
  },
};

const USAGE = `usage: node deploy/local/set-up/run.mjs <command> [arguments]

${Object.entries(COMMANDS)
  .map(([name, command]) => `  ${name.padEnd(10)} ${command.does}`)
  .join('\n')}

Before the command runs, set-up installs the npm packages when package-lock.json changed, and finds or makes
nats-server, opa, ferretdb and redis-server: what you name, the PATH, a container engine, a Go build or apt-get.
On Linux also bubblewrap, the sandbox of local MCP servers; without it they run with your rights.
What it makes is kept in $XDG_CACHE_HOME/interlock (~/.cache/interlock). Only lint:rego needs regal, and nothing else.

  INTERLOCK_NATS_SERVER_BIN, INTERLOCK_OPA_BIN, INTERLOCK_FERRETDB_BIN, INTERLOCK_REDIS_BIN,
  INTERLOCK_BWRAP_BIN, INTERLOCK_REGAL_BIN
                                    programs to use, as absolute paths
  NATS_URL, MONGODB_URL, REDIS_URL  servers to use (demo, dev and interlock only)
`;

await main(process.argv.slice(2));

async function main([name, ...args]) {
  if (name === '--help' || name === '-h' || name === 'help') return void process.stdout.write(USAGE);
  const command = Object.hasOwn(COMMANDS, name ?? '') ? COMMANDS[name] : undefined;
  if (command === undefined)
    return fail(`${name === undefined ? 'no command' : `unknown command: ${name}`}\n\n${USAGE}`, 2);
  const nodeMajor = Number(process.versions.node.split('.')[0]);
  if (nodeMajor < OLDEST_NODE_MAJOR)
    return fail(`Node ${OLDEST_NODE_MAJOR} or newer is needed, this is ${process.version}\n`, 1);

  const stopListening = endOnSignal();
  try {
    const environment = await setUp(command);
    stopListening();
    // Only `demo`, `dev` and `interlock` use the current folder of the person; the other commands work on the repository.
    runCommand(environment, [...command.script, ...args], command.ownServers ? ROOT : process.cwd());
  } catch (error) {
    fail(`${error.message}\n`, 1);
  }
}

/** Prepares packages and programs side by side; one error names every problem, so that all can be solved at once. */
async function setUp(command) {
  const startMs = performance.now();
  const [[packages], programs] = await Promise.all([
    Promise.allSettled([installPackages(ROOT, report)]),
    provisionAll(command.tools ?? ALL_TOOLS, { acceptAddresses: !command.ownServers, report }),
  ]);
  const problems = [packages, ...programs].filter((result) => result.status === 'rejected');
  if (problems.length > 0) {
    throw new Error(
      ['set-up cannot continue:', ...problems.map((problem) => problem.reason.message)].join('\n\n'),
    );
  }
  const found = programs.map((result) => result.value);
  const tookMs = performance.now() - startMs;
  if (tookMs > SILENT_MS) {
    const origins = found.map((program) => `${program.name}: ${program.from}`).join(', ');
    report(`ready after ${(tookMs / 1000).toFixed(1)} s (${origins})`);
  }
  return environmentWith(found, findNode(ROOT));
}

function environmentWith(programs, node) {
  const folders = [join(ROOT, 'node_modules', '.bin'), dirname(node), process.env.PATH];
  const paths = programs.filter((program) => program.path !== undefined);
  return {
    node,
    variables: {
      ...process.env,
      ...Object.fromEntries(paths.map((program) => [program.variable, program.path])),
      PATH: folders.filter(Boolean).join(delimiter),
      TURBO_TELEMETRY_DISABLED: '1',
    },
  };
}

/** Runs the command with the input and output of this process, forwards signals to it, and takes over its exit code. */
function runCommand({ node, variables }, args, cwd) {
  const child = spawn(node, args, { stdio: 'inherit', env: variables, cwd });
  const forwarded = ['SIGTERM', 'SIGHUP', 'SIGINT'];
  const forward = (signal) => {
    // A terminal sends its interrupt to the whole process group: the child has it already.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of forwarded) process.on(signal, forward);
  child.on('error', (error) => fail(`${node} cannot be started: ${error.message}\n`, 1));
  child.on('exit', (code, signal) => {
    for (const name of forwarded) process.removeListener(name, forward);
    if (signal === null) process.exitCode = code;
    else process.kill(process.pid, signal);
  });
}

/** An interrupted set-up ends what it started and leaves nothing half-made. */
function endOnSignal() {
  const end = (signal) => {
    endChildren();
    fail(`interrupted by ${signal}\n`, 128 + constants.signals[signal]);
    process.exit();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, end);
  return () => {
    for (const signal of signals) process.removeListener(signal, end);
  };
}

function report(line) {
  process.stderr.write(`set-up: ${line}\n`);
}

function fail(text, exitCode) {
  process.stderr.write(`interlock: ${text}`);
  process.exitCode = exitCode;
}
