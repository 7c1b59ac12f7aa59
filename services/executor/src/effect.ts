import {
  type Claim,
  Fault,
  type FaultCode,
  limits,
  type Settled,
  type ShownHeaders,
  sha256,
} from '@interlock/contracts';
import type { SendGuard } from './send-guard.ts';

/** A result's body as the agent gets it, without credentials. */
export interface Body {
  bytes: Uint8Array;
  mediaType: string;
  redactions: number;
}

/** What is known of an attempt to carry out a call. */
export type Effect =
  | { outcome: 'succeeded'; upstreamStatus?: number; upstreamHeaders?: ShownHeaders; body: Body }
  | {
      outcome: 'failed';
      code?: FaultCode;
      upstreamStatus?: number;
      upstreamHeaders?: ShownHeaders;
      body?: Body;
    }
  | { outcome: 'unknown'; code: FaultCode };

const MEDIA_TYPE_LENGTH = 256;

/**
 * Returns the effect of an attempt that ended with an error. Before anything may have been sent nothing was done, and
 * the call failed. Afterwards it is not known.
 */
export function effectOfError(cause: unknown, guard: Pick<SendGuard, 'mayHaveSent' | 'refusal'>): Effect {
  const code = cause instanceof Fault ? cause.code : 'internal';
  if (guard.mayHaveSent) return { outcome: 'unknown', code: code === 'internal' ? 'outcome_unknown' : code };
  return { outcome: 'failed', code: guard.refusal ?? code };
}

/**
 * Returns the effect of a call that was claimed again. An earlier attempt may have done it, so an attempt that failed
 * says only of itself that it did nothing: of the call it is not known.
 */
export function effectOfSecondAttempt(effect: Effect): Effect {
  return effect.outcome === 'failed' ? { outcome: 'unknown', code: 'outcome_unknown' } : effect;
}

/** Returns the event that settles a claim. An empty body is not a result. */
export function settledOf(
  claim: Claim,
  effect: Effect,
  { nowMs, labels, kept }: { nowMs: number; labels: readonly string[]; kept: boolean },
): Settled {
  const { tenant, agent, call, tool, executor, argumentsDigest } = claim;
  const body = effect.outcome === 'unknown' ? undefined : effect.body;
  const status = effect.outcome === 'unknown' ? undefined : effect.upstreamStatus;
  const shown = effect.outcome === 'unknown' ? undefined : effect.upstreamHeaders;
  const code = effect.outcome === 'succeeded' ? undefined : effect.code;
  return {
    ...{ tenant, agent, call, tool, at: nowMs, outcome: effect.outcome },
    ...(code === undefined ? {} : { code }),
    ...(status === undefined ? {} : { upstreamStatus: status }),
    ...(shown === undefined ? {} : { upstreamHeaders: shown }),
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
