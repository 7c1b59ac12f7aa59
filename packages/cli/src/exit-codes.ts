/** How the command ends, and what it prints when it fails. */
import { Failure } from '@interlock/shell';
import { plain } from './output.ts';

/** Done; refused or failed; used wrongly; Interlock was not reached. */
export const exitCodes = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Every other failure ends with `failed`. */
const exitCodeByFailure: Readonly<Record<string, ExitCode>> = {
  usage: exitCodes.usage,
  not_running: exitCodes.unreachable,
  unreachable: exitCodes.unreachable,
  service_unproven: exitCodes.unreachable,
  answer_broken: exitCodes.unreachable,
};

export function exitCodeOf({ code }: Failure): ExitCode {
  return exitCodeByFailure[code] ?? exitCodes.failed;
}

/** Returns the failure of a command that was used wrongly. */
export function usage(detail: string, cause?: unknown): Failure {
  return new Failure('usage', detail, { next: 'See interlock --help.', cause });
}

/** Returns what is printed about a failure: what happened, and on a second line what to do. */
export function failureText({ code, detail, next }: Failure): string {
  const hint = next === undefined ? '' : `  ${next}\n`;
  return plain(`interlock: ${code}: ${detail}\n${hint}`);
}
