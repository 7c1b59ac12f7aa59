import { type Environment, failureOf } from '@interlock/shell';
import { Command, CommanderError } from 'commander';
import type { Check } from './check.ts';
import { agentCommand } from './commands/agent.ts';
import { applyCommand } from './commands/apply.ts';
import { approvalsCommand, approveCommand, denyCommand } from './commands/approvals.ts';
import { auditCommand } from './commands/audit.ts';
import { callCommand } from './commands/call.ts';
import { credentialCommand } from './commands/credential.ts';
import { doctorCommand } from './commands/doctor.ts';
import { killCommand } from './commands/kill.ts';
import { policyCommand } from './commands/policy/index.ts';
import { toolsCommand } from './commands/tools.ts';
import { traceCommand } from './commands/trace.ts';
import { type ExitCode, exitCodeOf, exitCodes, failureText } from './exit-codes.ts';
import type { TryTool } from './tried-request.ts';

const NOTES = `
Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 Interlock cannot be reached.

Example:
  $ interlock up --config my-interlock`;

/** What an installation on this machine adds to the program. */
export interface InstallationParts {
  commands: readonly Command[];
  /** Where its executor finds the programs of local MCP servers. */
  searchPath(env: Environment): string;
  /** Makes the request of a call, for `interlock tools try`. */
  tryTool: TryTool;
  /** Checks of `interlock doctor` in a data folder. */
  check(data: string): Promise<Check[]>;
}

/** Builds the `interlock` program: the commands of an installation first, then those that send requests to one. */
export function buildProgram(installation: InstallationParts): Command {
  const program = new Command('interlock')
    // Options that stand behind a command are that command's, also where the one around it knows them too.
    .enablePositionalOptions()
    .description(
      'Stands between agents and every tool they call. Commands use the management API and the ingress.',
    )
    .addHelpText('after', NOTES);
  const commands = [
    ...installation.commands,
    applyCommand(installation.searchPath),
    toolsCommand(installation.tryTool),
    callCommand(),
    agentCommand(),
    credentialCommand(),
    approvalsCommand(),
    approveCommand(),
    denyCommand(),
    policyCommand(),
    auditCommand(),
    traceCommand(),
    killCommand(),
    doctorCommand(installation.check),
  ];
  for (const command of commands) program.addCommand(command);
  return withoutExit(program);
}

/** Runs a command line and returns the exit code. A failure is printed on standard error. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<ExitCode> {
  try {
    await program.parseAsync([...argv]);
    return exitCodes.done;
  } catch (error) {
    // Commander has printed help and usage errors already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    const failure = failureOf(error);
    process.stderr.write(failureText(failure));
    return exitCodeOf(failure);
  }
}

/** Commands throw instead of ending the process. */
function withoutExit(command: Command): Command {
  command.exitOverride();
  for (const child of command.commands) withoutExit(child);
  return command;
}
