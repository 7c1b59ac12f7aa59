import type { Fault, FaultCode } from '@interlock/contracts';

/**
 * The last check before the first byte leaves: whether the call may still have an effect.
 * It is made after every wait, so a process that was paused past its claim's limit sends nothing when it runs on: the
 * monotonic clock ran on without it.
 */
export interface SendGuard {
  /** Returns whether the next byte may leave, and remembers that it did. */
  maySend(): boolean;
  /** Takes back that something was sent, where an answer proves that it did nothing. */
  didNothing(): void;
  /** True once a byte may have left: from then on it is not known that nothing was done. */
  readonly mayHaveSent: boolean;
  /** Why nothing more may leave, once that was found. */
  readonly refusal: FaultCode | undefined;
  /** Milliseconds until the claim runs out; never negative. */
  leftMs(): number;
}

/** Guards until an instant of the monotonic clock, or until `blockedBy` says why the call may not go on. */
export function createSendGuard(
  deadlineMs: number,
  { monotonicMs, blockedBy }: { monotonicMs: () => number; blockedBy: () => Fault | undefined },
): SendGuard {
  let mayHaveSent = false;
  let refusal: FaultCode | undefined;
  return {
    maySend: () => {
      refusal = monotonicMs() >= deadlineMs ? 'egress_expired' : blockedBy()?.code;
      if (refusal !== undefined) return false;
      mayHaveSent = true;
      return true;
    },
    didNothing: () => {
      mayHaveSent = false;
    },
    get mayHaveSent() {
      return mayHaveSent;
    },
    get refusal() {
      return refusal;
    },
    leftMs: () => Math.max(0, deadlineMs - monotonicMs()),
  };
}
