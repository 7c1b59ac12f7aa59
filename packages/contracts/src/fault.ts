import { type FaultCode, faults } from './faults.ts';

export interface FaultOptions {
  /** What happened, in words that may be shown to the agent. Defaults to the code's own text. */
  detail?: string;
  /** JSON Pointer (RFC 6901) to the place at fault. */
  pointer?: string;
  /** The policy rule or the limit that refused. */
  rule?: string;
  /** How long to wait before the next request. */
  retryAfterMs?: number;
  /** What the caller can do, where that is not what the code says in general. */
  next?: string;
  cause?: unknown;
}

/**
 * An operating error with a stable code. `detail` is public; private information belongs in `cause`, which is logged and
 * never answered.
 */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly detail: string;
  readonly pointer: string | undefined;
  readonly rule: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly next: string;

  constructor(code: FaultCode, options: FaultOptions = {}) {
    const detail = options.detail ?? faults[code].text;
    super(`${code}: ${detail}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Fault';
    this.code = code;
    this.detail = detail;
    this.pointer = options.pointer;
    this.rule = options.rule;
    this.retryAfterMs = options.retryAfterMs;
    this.next = options.next ?? faults[code].next;
  }

  /** HTTP status that answers this fault. */
  get status(): number {
    return faults[this.code].status;
  }

  /** True when the same request may succeed later without being changed. */
  get retryable(): boolean {
    return faults[this.code].retryable;
  }
}
