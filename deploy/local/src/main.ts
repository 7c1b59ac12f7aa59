#!/usr/bin/env node
import { buildProgram, runProgram, type TryTool } from '@interlock/cli';
import { demoCommand } from '@interlock/demo';
import { processEnvironment } from '@interlock/shell';
import { devCommand } from './commands/dev.ts';
import { downCommand } from './commands/down.ts';
import { initCommand } from './commands/init.ts';
import { keysCommand } from './commands/keys.ts';
import { logsCommand } from './commands/logs.ts';
import { upCommand } from './commands/up.ts';
import { checkKeyFiles } from './key-checks.ts';
import { checkSandbox } from './sandbox-check.ts';
import { searchPath } from './search-path.ts';
import { checkServices } from './service-checks.ts';

/** Returns the `interlock` program: the commands that need the installation itself, and those that send requests to one. */
export function interlockProgram() {
  const commands = [
    initCommand(),
    upCommand(),
    downCommand(),
    logsCommand(),
    keysCommand(),
    devCommand(),
    demoCommand(async () => (await import('./demo-machine.ts')).machine),
  ];
  return buildProgram({ commands, searchPath, tryTool, check: checkInstallation });
}

/** The code of the services is loaded only where it is needed. */
const tryTool: TryTool = async (tool, args) => await (await import('./try-tool.ts')).tryTool(tool, args);

async function checkInstallation(data: string) {
  return [
    ...(await checkKeyFiles(data)),
    await checkSandbox(processEnvironment()),
    ...(await checkServices(data)),
  ];
}

if (import.meta.main) {
  const exitCode = await runProgram(interlockProgram(), process.argv);
  // A command that found a fault has set its exit code already.
  process.exitCode ??= exitCode;
}
