import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { Fault } from '@interlock/contracts';
import { createVerifier, httpbis } from 'http-message-signatures';
import { describe, expect, test } from 'vitest';
import { type SignedMessage, signRequest, verifyRequest } from './signature.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const identity = { agent: 'reporter', user: 'ada@example.com', session: 'session-1', call: 'call-1' };
const created = new Date('2026-03-01T12:00:00Z');
const options = {
  keys: (id: string) => (id === 'key-1' ? publicKey : undefined),
  now: created,
  maxAgeSeconds: 300,
};

describe('a signed request', () => {
  test.each<[string, (message: SignedMessage) => SignedMessage, string]>([
    ['no signature', (m) => without(m, 'Signature'), 'signature_missing'],
    ['no signature input', (m) => without(m, 'Signature-Input'), 'signature_missing'],
    ['no identity', (m) => without(m, 'Interlock-User'), 'signature_malformed'],
    ['no digest', (m) => without(m, 'Content-Digest'), 'signature_malformed'],
    ['another method', (m) => ({ ...m, method: 'PUT' }), 'signature_mismatch'],
    ['another path', (m) => ({ ...m, url: 'https://api.example.com/b?x=1' }), 'signature_mismatch'],
    ['another query', (m) => ({ ...m, url: 'https://api.example.com/a?x=2' }), 'signature_mismatch'],
    ['another host', (m) => ({ ...m, url: 'https://evil.example.com/a?x=1' }), 'signature_mismatch'],
    ['another user', (m) => withHeader(m, 'Interlock-User', 'eve'), 'signature_mismatch'],
    ['a user given twice', (m) => withHeader(m, 'interlock-user', 'eve'), 'signature_malformed'],
    [
      'two users joined',
      (m) => withHeader(m, 'Interlock-User', 'ada@example.com, eve'),
      'signature_malformed',
    ],
    [
      'two users listed',
      (m) => withHeader(m, 'Interlock-User', ['ada@example.com', 'eve']),
      'signature_malformed',
    ],
    ['a tenant nobody signed', (m) => withHeader(m, 'Interlock-Tenant', 'other'), 'signature_malformed'],
    ['another body', (m) => ({ ...m, body: Buffer.from('{"amount":2}') }), 'signature_body_mismatch'],
    ['no body', (m) => ({ ...m, body: undefined }), 'signature_body_mismatch'],
    ['a second digest', (m) => appended(m, 'Content-Digest', ', sha-512=:AAAA:'), 'signature_mismatch'],
    ['a second signature', (m) => appended(m, 'Signature', ', other=:AAAA:'), 'signature_malformed'],
    ['a later creation', (m) => replaced(m, /created=\d+/, 'created=1772366401'), 'signature_mismatch'],
    ['another key', (m) => replaced(m, /key-1/, 'key-2'), 'signature_key_unknown'],
    ['another algorithm', (m) => replaced(m, /ed25519/, 'hmac-sha256'), 'signature_malformed'],
    ['fewer things covered', (m) => replaced(m, / "interlock-user"/, ''), 'signature_malformed'],
    ['more things covered', (m) => replaced(m, /"\)/, '" "date")'), 'signature_malformed'],
    [
      'another order',
      (m) => replaced(m, /"@method" "@target-uri"/, '"@target-uri" "@method"'),
      'signature_malformed',
    ],
  ])('is refused with %s', (_what, change, code) => {
    expect(verifyRequest(signed(), options)).toEqual(identity);
    expect(codeOf(() => verifyRequest(change(signed()), options))).toBe(code);
  });

  test('is refused when it is too old, from the future, or expired', () => {
    const at = (seconds: number) => ({ ...options, now: new Date(created.getTime() + seconds * 1000) });
    expect(verifyRequest(signed(), at(300))).toEqual(identity);
    expect(codeOf(() => verifyRequest(signed(), at(301)))).toBe('signature_expired');
    expect(codeOf(() => verifyRequest(signed(), at(-31)))).toBe('signature_expired');
    expect(codeOf(() => verifyRequest(signed(), { ...options, maxAgeSeconds: Number.NaN }))).toBe(
      'signature_expired',
    );
    const brief = signed({ expires: new Date(created.getTime() + 60_000) });
    expect(verifyRequest(brief, at(60))).toEqual(identity);
    expect(codeOf(() => verifyRequest(brief, at(61)))).toBe('signature_expired');
  });

  test('is never made over an identity or a header that could be read in two ways', () => {
    const message = { ...unsigned(), key: { keyId: 'key-1', privateKey }, created };
    const sign = (change: object) => () => signRequest({ ...message, identity, ...change });
    expect(codeOf(sign({ identity: { ...identity, user: 'a\r\nInterlock-Agent: b' } }))).toBe(
      'signature_malformed',
    );
    expect(codeOf(sign({ identity: { ...identity, user: '' } }))).toBe('signature_malformed');
    expect(codeOf(sign({ headers: { 'interlock-USER': 'eve' } }))).toBe('signature_malformed');
    expect(codeOf(sign({ headers: { 'Interlock-Tenant': 'eve' } }))).toBe('signature_malformed');
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    expect(codeOf(sign({ key: { keyId: 'key-1', privateKey: rsa } }))).toBe('signature_key_unknown');
  });

  test('carries the tenant where there is one, and covers an empty body', () => {
    const message = signed({ identity: { ...identity, tenant: 'acme' }, body: undefined });
    expect(verifyRequest(message, options)).toEqual({ ...identity, tenant: 'acme' });
    expect(message.headers['Content-Digest']).toBe('sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:');
    expect(codeOf(() => verifyRequest(without(message, 'Interlock-Tenant'), options))).toBe(
      'signature_malformed',
    );
  });

  test('[P-identity-signed-request] is verified by an independent implementation of RFC 9421', async () => {
    const { method, url, headers } = signed({ expires: new Date(Date.now() + 60_000), created: new Date() });
    const text = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
    const config = {
      keyLookup: async () => ({
        id: 'key-1',
        algs: ['ed25519'],
        verify: createVerifier(publicKey, 'ed25519'),
      }),
      requiredFields: ['@method', '@target-uri', 'content-digest', 'interlock-agent', 'interlock-call'],
    };
    expect(await httpbis.verifyMessage(config, { method, url, headers: text })).toBe(true);
    const forged = { ...text, 'Interlock-User': 'eve' };
    await expect(httpbis.verifyMessage(config, { method, url, headers: forged })).resolves.toBe(false);
  });

  test('uses the Ed25519 of RFC 9421, appendix B.2.6', () => {
    const key = createPrivateKey({
      key: Buffer.from(
        '302e020100300506032b6570042204209f8362f87a484a954e6e740c5b4c0e84229139a20aa8ab56ff66586f6a7d29c5',
        'hex',
      ),
      format: 'der',
      type: 'pkcs8',
    });
    const base = [
      '"date": Tue, 20 Apr 2021 02:07:55 GMT',
      '"@method": POST',
      '"@path": /foo',
      '"@authority": example.com',
      '"content-type": application/json',
      '"content-length": 18',
      '"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"',
    ].join('\n');
    const expected =
      'wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==';
    expect(sign(null, Buffer.from(base), key).toString('base64')).toBe(expected);
    expect(verify(null, Buffer.from(base), createPublicKey(key), Buffer.from(expected, 'base64'))).toBe(true);
  });
});

function unsigned(): SignedMessage {
  return {
    method: 'POST',
    url: 'https://api.example.com/a?x=1',
    headers: {},
    body: Buffer.from('{"amount":1}'),
  };
}

function signed(change: Partial<Parameters<typeof signRequest>[0]> = {}): SignedMessage {
  const message = { ...unsigned(), identity, key: { keyId: 'key-1', privateKey }, created, ...change };
  const { method, url, body } = message;
  return { method, url, body, headers: { Accept: '*/*', ...signRequest(message) } };
}

function without(message: SignedMessage, name: string): SignedMessage {
  return withHeader(message, name, undefined);
}

function withHeader(
  message: SignedMessage,
  name: string,
  value: string | string[] | undefined,
): SignedMessage {
  return { ...message, headers: { ...message.headers, [name]: value } };
}

function appended(message: SignedMessage, name: string, more: string): SignedMessage {
  return withHeader(message, name, `${String(message.headers[name])}${more}`);
}

function replaced(message: SignedMessage, pattern: RegExp, by: string): SignedMessage {
  return withHeader(
    message,
    'Signature-Input',
    String(message.headers['Signature-Input']).replace(pattern, by),
  );
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (cause) {
    if (cause instanceof Fault) return cause.code;
    throw cause;
  }
  return 'nothing was refused';
}
