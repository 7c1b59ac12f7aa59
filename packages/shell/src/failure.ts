import { Fault, type FaultCode, faults } from '@interlock/contracts';

/** How the command ends: done, refused or failed, used wrongly, or nobody there to ask. */
export const exitCodes = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Why a command could not do what it was asked, with what to do next. */
export class Failure extends Error {
  readonly code: string;
  readonly detail: string;
  readonly next: string | undefined;
  readonly exitCode: ExitCode;

  constructor(
    code: string,
    detail: string,
    options: { next?: string | undefined; exitCode?: ExitCode; cause?: unknown } = {},
  ) {
    super(`${code}: ${detail}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Failure';
    this.code = code;
    this.detail = detail;
    this.next = options.next;
    this.exitCode = options.exitCode ?? exitCodes.failed;
  }
}

/** Returns a wrong use of the command. */
export function usage(detail: string): Failure {
  return new Failure('usage', detail, { exitCode: exitCodes.usage, next: 'See interlock --help.' });
}

/** Returns what was thrown as a failure. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  if (thrown instanceof Fault)
    return new Failure(thrown.code, thrown.detail, { next: nextOf(thrown.code), cause: thrown });
  const detail = thrown instanceof Error ? thrown.message : 'Something that is not an error was thrown.';
  return new Failure('internal', detail, { cause: thrown });
}

/** Returns the lines that tell of a failure: the first says what, the second what to do. */
export function failureText({ code, detail, next }: Failure): string {
  const hint = next === undefined ? '' : `  ${next}\n`;
  return `interlock: ${code}: ${detail}\n${hint}`;
}

function nextOf(code: FaultCode): string {
  return code === 'configuration_invalid' ? 'Correct the file and try again.' : faults[code].next;
}
