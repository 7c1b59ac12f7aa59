import { type KeyHolder, keyHolders, type Statement, type StatementType, sha256 } from '@interlock/contracts';
import { createTestKeys } from '@interlock/testkit';
import { describe, expect, test } from 'vitest';
import { signJws, verifyJws } from './jws.ts';
import { signStatement, verifyStatement } from './statements.ts';

const nowMs = 1_800_000_000_000;
const digest = sha256('x');
const identity = { tenant: 'acme', agent: 'mailer', user: 'ann', session: 's_1', call: 'c_1' };
const samples: { [T in StatementType]: Statement<T> & { type: T } } = {
  decision: {
    ...{ type: 'decision', ...identity, tool: 'send' },
    ...{
      toolVersion: digest,
      argumentsDigest: digest,
      callDigest: digest,
      verdict: 'allow',
      obligations: [],
    },
    ...{ policyDigest: digest, issuedAt: nowMs, notAfter: nowMs + 1 },
  },
  answer: {
    ...{ type: 'answer', answer: 'a_1', tenant: 'acme', call: 'c_1', questionDigest: digest, person: 'bob' },
    ...{ verdict: 'approve', channel: 'cli', issuedAt: nowMs },
  },
  resolution: {
    ...{ type: 'resolution', tenant: 'acme', call: 'c_1', callDigest: digest, questionDigest: digest },
    ...{ resolution: 'approved', person: 'bob', issuedAt: nowMs, notAfter: nowMs + 1 },
  },
  entry: { type: 'entry', bucket: 'tools', key: 'send', version: 1, issuedAt: nowMs, value: { a: 1 } },
  anchor: {
    ...{ type: 'anchor', stream: 'LEDGER', created: '2026-01-01T00:00:00Z', sequence: 1, hash: digest },
    issuedAt: nowMs,
  },
  bundle: { type: 'bundle', digest, bytes: 1, issuedAt: nowMs },
  consoleProof: { type: 'consoleProof', nonce: 'n'.repeat(43), address: '::1 1', issuedAt: nowMs },
  ingressProof: { type: 'ingressProof', nonce: 'n'.repeat(43), address: '::1 1', issuedAt: nowMs },
};
const types = Object.keys(samples) as StatementType[];
/** Written out and not derived: a signer added to the code by mistake must fail here. */
const signers = {
  decision: 'decider',
  answer: 'console',
  resolution: 'approver',
  entry: 'console',
  anchor: 'auditor',
  bundle: 'author',
  consoleProof: 'console',
  ingressProof: 'ingress',
} as const satisfies Record<StatementType, KeyHolder>;

const keys = createTestKeys();
const invalid = expect.objectContaining({ code: 'statement_invalid' });

function signed(type: StatementType, service: KeyHolder): string {
  return signStatement(samples[type], keys.signingKeyOf(service));
}

describe.each(types)('[P-statements-role-bound] a statement of the type %s', (type) => {
  test.each(keyHolders.filter((service) => service !== signers[type]))(
    'signed by %s is refused',
    (service) => {
      expect(() => verifyStatement(signed(type, service), type, keys.keyring, nowMs)).toThrow(invalid);
    },
  );

  test('signed by its own role is believed', () => {
    expect(verifyStatement(signed(type, signers[type]), type, keys.keyring, nowMs)).toEqual(samples[type]);
  });

  test('does not pass for another type, even where one role signs both', () => {
    const jws = signed(type, signers[type]);
    for (const other of types.filter((one) => one !== type))
      expect(() => verifyStatement(jws, other, keys.keyring, nowMs)).toThrow(invalid);
  });

  test('is refused when a field is missing, added or of another kind, though its signature holds', () => {
    const key = keys.signingKeyOf(signers[type]);
    const bodies = [{ ...samples[type], extra: 1 }, { ...samples[type], issuedAt: 'now' }, { type }];
    for (const body of bodies) {
      const jws = signJws(`interlock-${type}`, body, key);
      expect(() => verifyStatement(jws, type, keys.keyring, nowMs)).toThrow(invalid);
    }
  });
});

describe('[P-statements-role-bound] a signature', () => {
  const jws = signed('decision', 'decider');
  const [head = '', body = '', signature = ''] = jws.split('.');
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const { keyId } = keys.signingKeyOf('decider');

  test.each<[string, string]>([
    ['an altered body', `${head}.${encode({ ...samples.decision, user: 'eve' })}.${signature}`],
    ['another signature', `${head}.${body}.${Buffer.alloc(64, 1).toString('base64url')}`],
    ['no signature', `${head}.${body}.`],
    ['the algorithm none', `${encode({ alg: 'none', typ: 'interlock-decision', kid: keyId })}.${body}.`],
    [
      'a symmetric algorithm',
      `${encode({ alg: 'HS256', typ: 'interlock-decision', kid: keyId })}.${body}.${signature}`,
    ],
    [
      'a key of its own',
      `${encode({ alg: 'EdDSA', typ: 'interlock-decision', kid: keyId, jwk: {} })}.${body}.${signature}`,
    ],
    [
      'an unknown key',
      `${encode({ alg: 'EdDSA', typ: 'interlock-decision', kid: 'nobody' })}.${body}.${signature}`,
    ],
    ['two parts', `${head}.${body}`],
    ['four parts', `${jws}.${signature}`],
    ['nothing', ''],
  ])('with %s is refused', (_what, forged) => {
    expect(() => verifyStatement(forged, 'decision', keys.keyring, nowMs)).toThrow(invalid);
  });

  test('of a key past its time, or of one the root of somebody else certified, is refused', () => {
    const { certified } = keys;
    const until = Math.max(...certified.map(({ notAfter }) => notAfter));
    expect(() => verifyStatement(jws, 'decision', keys.keyring, until)).toThrow(invalid);
    expect(() => verifyStatement(jws, 'decision', createTestKeys().keyring, nowMs)).toThrow(invalid);
    expect(verifyStatement(jws, 'decision', keys.keyring, until - 1)).toEqual(samples.decision);
  });

  test('is the EdDSA of RFC 8037, appendix A.4', async () => {
    const { createPrivateKey, createPublicKey, sign, verify } = await import('node:crypto');
    const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';
    const d = 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A';
    const privateKey = createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x, d }, format: 'jwk' });
    const input = 'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc';
    const expected = 'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg';
    expect(sign(null, Buffer.from(input), privateKey).toString('base64url')).toBe(expected);
    const ours = signJws('t', { a: 1 }, { keyId: 'k', privateKey });
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    expect(verifyJws(ours, 't', () => publicKey)).toEqual({ payload: { a: 1 }, keyId: 'k' });
    const [head = '', body = '', signature = ''] = ours.split('.');
    expect(verify(null, Buffer.from(`${head}.${body}`), publicKey, Buffer.from(signature, 'base64url'))).toBe(
      true,
    );
  });
});
