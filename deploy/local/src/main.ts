#!/usr/bin/env node
import { buildProgram, runProgram } from '@interlock/cli';
import { demoCommand } from '@interlock/demo';
import { devCommand } from './commands/dev.ts';
import { downCommand } from './commands/down.ts';
import { initCommand } from './commands/init.ts';
import { keysCommand } from './commands/keys.ts';
import { logsCommand } from './commands/logs.ts';
import { upCommand } from './commands/up.ts';
import { checkKeyFiles } from './key-checks.ts';

/** The `interlock` program: the commands that need the installation itself, and those that send requests to one. */
if (import.meta.main) {
  const commands = [
    initCommand(),
    upCommand(),
    downCommand(),
    logsCommand(),
    keysCommand(),
    devCommand(),
    demoCommand(async () => (await import('./demo-machine.ts')).machine),
  ];
  const program = buildProgram({ commands, check: checkKeyFiles });
  const exitCode = await runProgram(program, process.argv);
  // A command that found a fault has set its exit code already.
  process.exitCode ??= exitCode;
}
