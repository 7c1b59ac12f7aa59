import { Fault } from '@interlock/contracts';

/** Why a program could not do what a person asked of it: a code, what happened, and what the person can do next. */
export class Failure extends Error {
  readonly code: string;
  readonly detail: string;
  readonly next: string | undefined;

  constructor(code: string, detail: string, options: { next?: string | undefined; cause?: unknown } = {}) {
    super(`${code}: ${detail}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Failure';
    this.code = code;
    this.detail = detail;
    this.next = options.next;
  }
}

/** Returns any thrown value as a failure. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  if (thrown instanceof Fault)
    return new Failure(thrown.code, thrown.detail, { next: nextOf(thrown), cause: thrown });
  const detail = thrown instanceof Error ? thrown.message : 'Something that is not an error was thrown.';
  return new Failure('internal', detail, { cause: thrown });
}

function nextOf({ code, next }: Fault): string {
  return code === 'configuration_invalid' ? 'Correct the file and try again.' : next;
}
