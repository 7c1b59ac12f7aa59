/**
 * Whether a short text of ours or about a destination holds a secret or its beginning, however it is written: in any
 * case, since host names have none, and with anything between its characters. Such a text is not shown at all, so it
 * may well be one that only looks like it.
 */
import type { Secret } from '@interlock/keys';
import { redact } from './redact.ts';

/** A beginning this long says which secret it is; shorter ones are in ordinary words. */
const BEGINNING_CHARACTERS = 8;
/** Below this, a secret is in ordinary words in any case. */
const LEAST_CHARACTERS = 4;
/** Longer texts are no sentences for a log or values of a header. */
const TEXT_CHARACTERS = 8_192;
const MARK = '[a text with a secret in it]';

/** Whether a text holds a secret, or the first characters of one. */
export function mentions(text: string, secrets: readonly Secret[]): boolean {
  if (redact(text, secrets).redactions > 0) return true;
  const plain = squash(text);
  return secrets.some((secret) => {
    const beginning = squash(secret.reveal()).slice(0, BEGINNING_CHARACTERS);
    return beginning.length >= LEAST_CHARACTERS && plain.includes(beginning);
  });
}

/** Returns a text for a log or a header without secrets; a text that still holds one in another spelling is not returned. */
export function cleanText(text: string, secrets: readonly Secret[]): string {
  const { body } = redact(text.slice(0, TEXT_CHARACTERS), secrets);
  return mentions(body, secrets) ? MARK : body;
}

function squash(text: string): string {
  return text.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');
}
