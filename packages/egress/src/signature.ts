/**
 * HTTP message signatures (RFC 9421) over method, URL, body and identity, with Ed25519 under the label
 * `interlock`, so that an API can verify for whom a call is made (docs/decisions/021).
 *
 * M1. What is covered is fixed. A signature over less, over more, or in another order is refused.
 * M2. The body is covered by its digest (RFC 9530), an empty body too.
 * M3. Every covered header occurs once. A request with one of them twice is refused.
 */
import { createHash, type KeyObject, sign, timingSafeEqual, verify } from 'node:crypto';
import { Fault, type FaultCode } from '@interlock/contracts';
import {
  assertIdentityValue,
  IDENTITY_HEADERS,
  type Identity,
  type IdentityHeader,
  TENANT_HEADER,
} from './identity.ts';

/** Headers as Node and most frameworks give them: names in any case, one value or several. */
export type MessageHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A request as sent or received. `url` is absolute; its fragment is ignored. */
export type SignedMessage = {
  method: string;
  url: string;
  headers: MessageHeaders;
  body: Uint8Array | undefined;
};

/** Identity, key and times of a signature; times have whole seconds. */
export type SigningOptions = SignedMessage & {
  identity: Identity;
  key: { keyId: string; privateKey: KeyObject };
  created: Date;
  expires?: Date;
};

/** Public keys by id, the present time, and the maximum age of a signature. */
export type VerifyingOptions = {
  keys: (keyId: string) => KeyObject | undefined;
  now: Date;
  maxAgeSeconds: number;
};

const LABEL = 'interlock';
const ALGORITHM = 'ed25519';
/** Clocks of two hosts differ; a signature from further in the future is refused. */
const CLOCK_SKEW_SECONDS = 30;
const MAX_HEADER_BYTES = 4 * 1024;

const INPUT =
  /^interlock=(\(("[a-z@-]+"(?: "[a-z@-]+")*)\);created=(\d{1,12})(?:;expires=(\d{1,12}))?;keyid="([A-Za-z0-9_.:/+=-]{1,128})";alg="ed25519")$/;
const SIGNATURE = /^interlock=:([A-Za-z0-9+/]{86}==):$/;
const DIGEST = /^sha-256=:([A-Za-z0-9+/]{43}=):$/;
const KEY_ID = /^[A-Za-z0-9_.:/+=-]{1,128}$/;

/**
 * Signs a request.
 * @returns the headers to add: the identity's, `Content-Digest`, `Signature-Input` and `Signature`.
 * @throws Fault `signature_malformed` where the request has one of these already, or a value that no header
 * can carry; `signature_key_unknown` for a key that is not Ed25519.
 */
export function signRequest({
  identity,
  key,
  created,
  expires,
  ...message
}: SigningOptions): Record<string, string> {
  if (key.privateKey.asymmetricKeyType !== ALGORITHM || !KEY_ID.test(key.keyId))
    throw fault('signature_key_unknown');
  const fields = identity.tenant === undefined ? IDENTITY_HEADERS : [...IDENTITY_HEADERS, TENANT_HEADER];
  const added = identityHeaders(identity, fields);
  for (const name of [
    ...Object.keys(added),
    TENANT_HEADER.header,
    'Content-Digest',
    'Signature-Input',
    'Signature',
  ]) {
    if (valuesOf(message.headers, name.toLowerCase()).length > 0)
      throw fault('signature_malformed', `${name} is set.`);
  }
  const digest = `sha-256=:${digestOf(message.body).toString('base64')}:`;
  const expiry = expires === undefined ? '' : `;expires=${toSeconds(expires)}`;
  const parameters = `(${coveredList(fields)});created=${toSeconds(created)}${expiry};keyid="${key.keyId}";alg="${ALGORITHM}"`;
  const base = signatureBase(message, { fields, identity, digest, parameters });
  const signature = sign(null, Buffer.from(base), key.privateKey).toString('base64');
  return {
    ...added,
    'Content-Digest': digest,
    'Signature-Input': `${LABEL}=${parameters}`,
    Signature: `${LABEL}=:${signature}:`,
  };
}

/**
 * Verifies a request as its receiver sees it.
 * @returns the identity that the signature vouches for.
 * @throws Fault `signature_missing`, `signature_malformed`, `signature_expired`, `signature_key_unknown`,
 * `signature_mismatch` or `signature_body_mismatch`. It does not remember signatures: a receiver to whom a
 * repetition within `maxAgeSeconds` matters remembers call ids.
 */
export function verifyRequest(
  message: SignedMessage,
  { keys, now, maxAgeSeconds }: VerifyingOptions,
): Identity {
  const input = onlyValue(message.headers, 'signature-input', 'signature_missing');
  const signature = match(SIGNATURE, onlyValue(message.headers, 'signature', 'signature_missing'));
  const [, parameters = '', covered = '', created = '', expires, keyId = ''] = match(INPUT, input);
  const fields = hasTenant(message.headers) ? [...IDENTITY_HEADERS, TENANT_HEADER] : IDENTITY_HEADERS;
  if (covered !== coveredList(fields))
    throw fault('signature_malformed', 'The signature covers something else.');
  const digest = onlyValue(message.headers, 'content-digest', 'signature_malformed');
  const identity = readIdentity(message.headers);
  assertTimely(
    { created: Number(created), expires: expires === undefined ? undefined : Number(expires) },
    now,
    maxAgeSeconds,
  );
  const key = keys(keyId);
  if (key === undefined || key.asymmetricKeyType !== ALGORITHM) throw fault('signature_key_unknown');
  const base = signatureBase(message, { fields, identity, digest, parameters });
  const bytes = Buffer.from(signature[1] ?? '', 'base64');
  if (!verify(null, Buffer.from(base), key, bytes)) throw fault('signature_mismatch');
  assertDigest(digest, message.body);
  return identity;
}

type Base = { fields: readonly IdentityHeader[]; identity: Identity; digest: string; parameters: string };

/** RFC 9421 §2.5. */
function signatureBase(
  { method, url }: SignedMessage,
  { fields, identity, digest, parameters }: Base,
): string {
  return [
    `"@method": ${readMethod(method)}`,
    `"@target-uri": ${targetUri(url)}`,
    `"content-digest": ${digest}`,
    ...fields.map(({ covered, field }) => `"${covered}": ${identity[field] ?? ''}`),
    `"@signature-params": ${parameters}`,
  ].join('\n');
}

function coveredList(fields: readonly IdentityHeader[]): string {
  const names = ['@method', '@target-uri', 'content-digest', ...fields.map(({ covered }) => covered)];
  return names.map((name) => `"${name}"`).join(' ');
}

function readMethod(method: string): string {
  if (!/^[A-Z]{1,16}$/.test(method)) throw fault('signature_malformed', 'The method is not in upper case.');
  return method;
}

/** RFC 9421 §2.2.2, in the normal form of the URL parser so that both sides spell it alike. */
function targetUri(text: string): string {
  if (!URL.canParse(text)) throw fault('signature_malformed', 'The URL is not absolute.');
  const url = new URL(text);
  url.hash = '';
  return url.href;
}

function identityHeaders(identity: Identity, fields: readonly IdentityHeader[]): Record<string, string> {
  return Object.fromEntries(
    fields.map(({ header, field }) => {
      const value = identity[field] ?? '';
      assertIdentityValue(value, field);
      return [header, value];
    }),
  );
}

function readIdentity(headers: MessageHeaders): Identity {
  const read = ({ covered, field }: IdentityHeader): string => {
    const value = onlyValue(headers, covered, 'signature_malformed');
    assertIdentityValue(value, field);
    return value;
  };
  const [agent = '', user = '', session = '', call = ''] = IDENTITY_HEADERS.map(read);
  return hasTenant(headers)
    ? { agent, user, tenant: read(TENANT_HEADER), session, call }
    : { agent, user, session, call };
}

function hasTenant(headers: MessageHeaders): boolean {
  return valuesOf(headers, TENANT_HEADER.covered).length > 0;
}

type Times = { created: number; expires: number | undefined };

function assertTimely({ created, expires }: Times, now: Date, maxAgeSeconds: number): void {
  const seconds = toSeconds(now);
  if (created > seconds + CLOCK_SKEW_SECONDS)
    throw fault('signature_expired', 'The signature is from the future.');
  if (!(seconds - created <= maxAgeSeconds)) throw fault('signature_expired', 'The signature is too old.');
  if (expires !== undefined && expires < seconds)
    throw fault('signature_expired', 'The signature has expired.');
}

function assertDigest(header: string, body: Uint8Array | undefined): void {
  const [, claimed = ''] = match(DIGEST, header);
  if (!timingSafeEqual(Buffer.from(claimed, 'base64'), digestOf(body)))
    throw fault('signature_body_mismatch');
}

function digestOf(body: Uint8Array | undefined): Buffer {
  return createHash('sha256')
    .update(body ?? new Uint8Array())
    .digest();
}

function toSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

function match(pattern: RegExp, value: string): readonly (string | undefined)[] {
  const found = pattern.exec(value);
  if (found === null) throw fault('signature_malformed');
  return found;
}

function onlyValue(headers: MessageHeaders, name: string, absent: FaultCode): string {
  const [value, ...more] = valuesOf(headers, name);
  if (value === undefined) throw fault(absent, `${name} is missing.`);
  if (more.length > 0) throw fault('signature_malformed', `${name} is given twice.`);
  if (value.length > MAX_HEADER_BYTES) throw fault('signature_malformed', `${name} is too long.`);
  return value;
}

/** All values of a header, however the names are spelled. */
function valuesOf(headers: MessageHeaders, name: string): readonly string[] {
  return Object.entries(headers).flatMap(([candidate, value]) =>
    candidate.toLowerCase() === name && value !== undefined ? value : [],
  );
}

function fault(code: FaultCode, detail?: string): Fault {
  return new Fault(code, detail === undefined ? {} : { detail });
}
