#!/usr/bin/env node
import { buildProgram, runProgram } from './program.ts';

if (import.meta.main) {
  const exitCode = await runProgram(buildProgram(), process.argv);
  // A command that found something wrong has said so already.
  process.exitCode ??= exitCode;
}
