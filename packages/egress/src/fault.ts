import { Fault, type FaultCode } from '@interlock/contracts';

/** Whether the request may have reached the other side: `no` is a promise, `maybe` is everything else. */
export type Sent = 'no' | 'maybe';

/** The codes of outbound faults. */
export type EgressCode = Extract<
  FaultCode,
  `egress_${string}` | 'configuration_invalid' | 'dependency_unavailable' | 'header_argument_refused'
>;

type EgressFaultOptions = { sent: Sent; detail: string; pointer?: string; cause?: unknown };

/** Codes that an agent reads as a promise that nothing was done: their status is 503. */
const PROMISES_NOTHING_DONE: ReadonlySet<EgressCode> = new Set(['egress_expired', 'dependency_unavailable']);

/** What goes wrong on the way out. `sent` says whether an effect is possible: only `no` allows another try. */
export class EgressFault extends Fault {
  readonly sent: Sent;
  readonly #egressCode: EgressCode;

  constructor(code: EgressCode, { sent, detail, pointer, cause }: EgressFaultOptions) {
    super(code, {
      detail,
      ...(pointer === undefined ? {} : { pointer }),
      ...(cause === undefined ? {} : { cause }),
    });
    this.name = 'EgressFault';
    this.sent = sent;
    this.#egressCode = code;
  }

  /** Never true once the request may have been sent. */
  override get retryable(): boolean {
    return this.sent === 'no' && super.retryable;
  }

  /** The same fault for a request of which an earlier part already left, such as a redirect's first leg. */
  afterSending(): EgressFault {
    if (this.sent === 'maybe') return this;
    const code = PROMISES_NOTHING_DONE.has(this.#egressCode) ? 'egress_broken' : this.#egressCode;
    return new EgressFault(code, { sent: 'maybe', detail: this.detail, cause: this });
  }
}
