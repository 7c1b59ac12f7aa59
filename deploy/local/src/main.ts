#!/usr/bin/env node
import { buildProgram, runProgram } from '@interlock/cli';
import { demoCommand } from '@interlock/demo';
import { upCommand } from './commands/up.ts';

/** The `interlock` program: what needs the installation itself, and what speaks to one that runs somewhere. */
if (import.meta.main) {
  const installation = [upCommand(), demoCommand(async () => (await import('./laptop.ts')).laptop)];
  const exitCode = await runProgram(buildProgram(installation), process.argv);
  // A command that found something wrong has said so already.
  process.exitCode ??= exitCode;
}
