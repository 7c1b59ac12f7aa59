import type { Fault, FaultCode } from '@interlock/contracts';

/**
 * The last question before the first byte: whether the call may still have an effect.
 * It is asked after every wait, so a process that was stopped past its claim's limit sends nothing when it goes
 * on: the monotonic clock went on without it.
 */
export interface Gate {
  /** Returns whether the next byte may leave, and remembers that it did. */
  mayStart(): boolean;
  /** True once a byte may have left: from then on nobody can say that nothing was done. */
  readonly passed: boolean;
  /** Why the gate is shut, once it was found shut. */
  readonly shut: FaultCode | undefined;
  /** Milliseconds until the claim runs out; never negative. */
  leftMs(): number;
}

/**
 * Opens a gate that shuts at an instant of the monotonic clock, or when `blockedBy` says why the call may not go on.
 */
export function openGate(
  deadlineMs: number,
  { monotonicMs, blockedBy }: { monotonicMs: () => number; blockedBy: () => Fault | undefined },
): Gate {
  let passed = false;
  let shut: FaultCode | undefined;
  return {
    mayStart: () => {
      shut = monotonicMs() >= deadlineMs ? 'egress_expired' : blockedBy()?.code;
      if (shut !== undefined) return false;
      passed = true;
      return true;
    },
    get passed() {
      return passed;
    },
    get shut() {
      return shut;
    },
    leftMs: () => Math.max(0, deadlineMs - monotonicMs()),
  };
}
