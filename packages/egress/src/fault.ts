import { Fault, type FaultCode } from '@interlock/contracts';

/** Whether the request may have reached the destination: `no` means that no byte was sent, `maybe` everything else. */
export type Sent = 'no' | 'maybe';

/** The codes of outbound faults. */
export type EgressCode = Extract<
  FaultCode,
  `egress_${string}` | 'configuration_invalid' | 'dependency_unavailable' | 'header_argument_refused'
>;

type EgressFaultOptions = { sent: Sent; detail: string; pointer?: string; cause?: unknown };

/** Codes that promise an agent that nothing was done: their status is 503. */
const PROMISES_NOTHING_DONE: ReadonlySet<EgressCode> = new Set(['egress_expired', 'dependency_unavailable']);

/** A failure of outbound HTTP. `sent` tells whether an effect is possible: only `no` allows another try. */
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

  /** Returns the same fault for a request of which an earlier part was sent, such as the first leg of a redirect. */
  afterSending(): EgressFault {
    if (this.sent === 'maybe') return this;
    const code = PROMISES_NOTHING_DONE.has(this.#egressCode) ? 'egress_broken' : this.#egressCode;
    return new EgressFault(code, { sent: 'maybe', detail: this.detail, cause: this });
  }
}
