import { type Claim, Fault, type FaultCode, limits, type Settled, sha256 } from '@interlock/contracts';
import type { Gate } from './gate.ts';

/** A body as the agent gets it, without credentials. */
export interface Body {
  bytes: Uint8Array;
  mediaType: string;
  redactions: number;
}

/** What is known of an attempt to carry out a call. */
export type Effect =
  | { outcome: 'succeeded'; upstreamStatus?: number; body: Body }
  | { outcome: 'failed'; code?: FaultCode; upstreamStatus?: number; body?: Body }
  | { outcome: 'unknown'; code: FaultCode };

const MEDIA_TYPE_LENGTH = 256;

/**
 * Returns the effect of an attempt that ended with an error. Before the gate was passed nothing was done, and the
 * call failed; afterwards nobody can tell.
 */
export function effectOfError(cause: unknown, gate: Pick<Gate, 'passed' | 'shut'>): Effect {
  const code = cause instanceof Fault ? cause.code : 'internal';
  if (gate.passed) return { outcome: 'unknown', code: code === 'internal' ? 'outcome_unknown' : code };
  return { outcome: 'failed', code: gate.shut ?? code };
}

/** Returns the event that settles a claim. An empty body is no result. */
export function settledOf(
  claim: Claim,
  effect: Effect,
  { nowMs, labels, kept }: { nowMs: number; labels: readonly string[]; kept: boolean },
): Settled {
  const { tenant, agent, call, tool, executor, argumentsDigest } = claim;
  const body = effect.outcome === 'unknown' ? undefined : effect.body;
  const status = effect.outcome === 'unknown' ? undefined : effect.upstreamStatus;
  const code = effect.outcome === 'succeeded' ? undefined : effect.code;
  return {
    ...{ tenant, agent, call, tool, at: nowMs, outcome: effect.outcome },
    ...(code === undefined ? {} : { code }),
    ...(status === undefined ? {} : { upstreamStatus: status }),
    ...(body === undefined || body.bytes.byteLength === 0 ? {} : { result: resultOf(body) }),
    redactions: body?.redactions ?? 0,
    labels: [...labels],
    executor,
    keepResult: kept,
    argumentsDigest,
  };
}

/** Throws `egress_too_large` for a body above what travels. */
export function assertFits(bytes: Uint8Array, maxBytes: number = limits.resultBytes): void {
  if (bytes.byteLength > Math.min(maxBytes, limits.resultBytes)) throw new Fault('egress_too_large');
}

function resultOf({ bytes, mediaType }: Body): Settled['result'] {
  return {
    digest: sha256(bytes),
    bytes: bytes.byteLength,
    mediaType: mediaType.slice(0, MEDIA_TYPE_LENGTH),
  };
}
