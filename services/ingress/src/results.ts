import { isUtf8 } from 'node:buffer';
import type { Blobs } from '@interlock/bus';
import { type CallOutcome, type SettledCall, sealContext, sealedSchema, sha256 } from '@interlock/contracts';
import { type ServiceKeys, unseal } from '@interlock/keys';
import { isFaithful } from './faithful.ts';
import type { Waiter } from './waits.ts';

/** A body is sent beside its outcome and may arrive a little later. */
const BODY_GRACE_MS = 2_000;
const JSON_TYPE = /^(?:application|text)\/(json|[\w.+-]+\+json)\s*(;|$)/i;

export type ShownResult = Pick<CallOutcome, 'result' | 'mediaType'>;

export interface ResultSources {
  blobs: Pick<Blobs, 'get'>;
  sealKey: ServiceKeys['seal'];
}

/**
 * Returns a settled call's result: from the channel where `waiter` is given, else from what was kept. A body whose
 * SHA-256 is not the settled one is never answered; without a body the result is absent.
 * Throws `dependency_unavailable` while the kept results cannot be read.
 */
export async function resultOf(
  settled: SettledCall,
  waiter: Waiter | undefined,
  { blobs, sealKey }: ResultSources,
): Promise<ShownResult> {
  const { result, tenant, call } = settled;
  if (result === undefined) return {};
  const fits = (body: Uint8Array) => body.byteLength === result.bytes && sha256(body) === result.digest;
  const received = await waiter?.body(fits, BODY_GRACE_MS);
  if (received !== undefined) return showBody(received, result.mediaType);
  if (!settled.keepResult) return {};
  const kept = await blobs.get(`${tenant}.${call}`);
  const body = kept === undefined ? undefined : open(kept, call, sealKey);
  return body !== undefined && fits(body) ? showBody(body, result.mediaType) : {};
}

/**
 * Returns a body as JSON where it is JSON, else as text; bytes that are not text as `{ base64 }`. JSON with numbers that
 * would be rounded, or nested too deeply to be written again, is text, too: the agent gets what the tool said.
 */
export function showBody(body: Uint8Array, mediaType: string): ShownResult {
  if (!isUtf8(body)) return { result: { base64: Buffer.from(body).toString('base64') }, mediaType };
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  if (!JSON_TYPE.test(mediaType)) return { result: text, mediaType };
  try {
    return { result: isFaithful(text) ? JSON.parse(text) : text, mediaType };
  } catch {
    // The upstream declares JSON and sends something else, which is answered as it is.
    return { result: text, mediaType };
  }
}

/** A sealed box that does not open counts as not kept: the outcome is known, its body is not. */
function open(kept: Uint8Array, call: string, sealKey: ServiceKeys['seal']): Buffer | undefined {
  try {
    const sealed = sealedSchema.parse(JSON.parse(Buffer.from(kept).toString('utf8')));
    return unseal(sealed, sealKey, sealContext('result', call));
  } catch {
    return undefined;
  }
}
