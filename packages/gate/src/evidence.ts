import { type Evidence, sha256 } from '@interlock/contracts';

/**
 * The arguments of a call that was not carried out are kept whole up to this size. An agent is refused as often as it
 * likes, and what is kept of it takes the room of everybody.
 */
const ARGUMENTS_KEPT_BYTES = 16 * 1_024;

/**
 * Returns the evidence of a call that is not carried out. Large arguments become their digest and their size, and what
 * parsers found in them is left out of policy's input.
 */
export function boundedEvidence(evidence: Evidence): Evidence {
  const { call, decision } = evidence;
  const text = call?.arguments;
  const bytes = text === undefined ? 0 : Buffer.byteLength(text);
  if (call === undefined || text === undefined || bytes <= ARGUMENTS_KEPT_BYTES) return evidence;
  const { arguments: _, ...kept } = call;
  return {
    ...evidence,
    call: { ...kept, argumentsDigest: call.argumentsDigest ?? sha256(text) },
    ...(decision === undefined ? {} : { decision: { ...decision, facts: withoutParsed(decision.facts) } }),
    detail: { ...evidence.detail, argumentsBytes: bytes },
  };
}

function withoutParsed({ facts: _, ...input }: Readonly<Record<string, unknown>>) {
  return input as NonNullable<Evidence['decision']>['facts'];
}
