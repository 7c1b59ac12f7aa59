import { Secret } from '@interlock/keys';
import { isSpanContextValid, trace } from '@opentelemetry/api';
import { type Bindings, type ChildLoggerOptions, type DestinationStream, type Logger, pino } from 'pino';
import { describeError } from './describe-error.ts';

/** Fields with such a name are never printed: a second protection besides `Secret`. */
const SECRET_NAME =
  /(authorization|cookie|token|password|passphrase|secret|seed|credential|^key|(api|private|secret|root|content|encryption)[-_]?key)$/i;
/** Deeper values are of little use in a log and cost much. */
const DEPTH_MAX = 6;
const ITEMS_MAX = 100;

export interface LogOptions {
  level: string;
  service: string;
  replica: string;
  stream: DestinationStream;
}

/** Makes a logger: one JSON object a line, with service, replica and the active span's ids. */
export function createLog({ level, service, replica, stream }: LogOptions): Logger {
  const log: Logger = pino(
    {
      level,
      base: { service, replica },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: printableOrNot,
      },
      serializers: { err: keep },
      mixin: spanIds,
    },
    stream,
  );
  // Fields bound to a child pass no formatter. Descendants inherit from this logger, so they are covered too.
  const bind: (this: Logger, fields: Bindings, options?: ChildLoggerOptions) => Logger = log.child;
  const child = function (this: Logger, fields: Bindings, options?: ChildLoggerOptions) {
    return bind.call(this, printableOrNot(fields), options);
  };
  Object.assign(log, { child });
  return log;
}

function spanIds(): object {
  const span = trace.getActiveSpan()?.spanContext();
  return span !== undefined && isSpanContextValid(span) ? { traceId: span.traceId, spanId: span.spanId } : {};
}

/** A value that cannot be read, as one whose getter throws, does not fail who logs it. */
function printableOrNot(fields: object): Record<string, unknown> {
  try {
    return printableFields(fields, 0);
  } catch {
    return { unprintable: true };
  }
}

function printableFields(fields: object, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields)
      .slice(0, ITEMS_MAX)
      .map(([name, value]) => [
        name,
        SECRET_NAME.test(name) && value !== undefined && value !== null
          ? '[secret]'
          : printable(value, depth + 1),
      ]),
  );
}

function printable(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Secret) return value.toString();
  if (value instanceof Error) return describeError(value);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= DEPTH_MAX) return '[deep]';
  if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((item) => printable(item, depth + 1));
  if ('toJSON' in value && typeof value.toJSON === 'function') return value;
  return printableFields(value, depth);
}

/** Errors are described before serializers see them. */
function keep(value: unknown): unknown {
  return value;
}
