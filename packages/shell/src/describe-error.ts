import { Fault } from '@interlock/contracts';

/** A longer chain is a loop or a mistake. */
const CAUSES_MAX = 8;
/** Enough for a sentence and a path: a whole body in a message is not logged. */
const MESSAGE_MAX_CHARACTERS = 1_000;
const FRAMES_MAX = 20;

/** An error in the log: the error itself and its causes, outermost first. */
export interface DescribedError {
  name: string;
  message: string;
  code?: string;
  pointer?: string;
  rule?: string;
  stack?: string[];
  causes?: DescribedError[];
}

/** Describes an error with its code and its chain of causes. Only the outermost has a stack. */
export function describeError(error: unknown): DescribedError {
  const described = describeOne(error);
  if (!(error instanceof Error)) return described;
  const causes: DescribedError[] = [];
  for (let next = error.cause; next !== undefined && causes.length < CAUSES_MAX; next = causeOf(next))
    causes.push(describeOne(next));
  const stack = framesOf(error);
  return {
    ...described,
    ...(stack.length > 0 ? { stack } : {}),
    ...(causes.length > 0 ? { causes } : {}),
  };
}

function describeOne(error: unknown): DescribedError {
  if (!(error instanceof Error)) return { name: 'thrown', message: `a ${typeof error} was thrown` };
  const code = codeOf(error);
  return {
    name: error.name,
    // A parser's error quotes what it could not read, which may hold anything.
    message: error instanceof SyntaxError ? 'malformed text' : error.message.slice(0, MESSAGE_MAX_CHARACTERS),
    ...(code === undefined ? {} : { code }),
    ...(error instanceof Fault && error.pointer !== undefined ? { pointer: error.pointer } : {}),
    ...(error instanceof Fault && error.rule !== undefined ? { rule: error.rule } : {}),
  };
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

/** The frames alone: the lines before them repeat the message. */
function framesOf(error: Error): string[] {
  return (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, FRAMES_MAX)
    .map((line) => line.trim());
}
