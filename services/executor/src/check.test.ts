import { canonicalJson, Fault, type FaultCode, type Statement, sha256 } from '@interlock/contracts';
import { assertInTime } from '@interlock/gate';
import { caller, createTestKeys, makeCall, makeDecided, makeDecision } from '@interlock/testkit';
import { describe, expect, test } from 'vitest';
import { checkCall } from './check.ts';

const nowMs = Date.UTC(2026, 0, 1);
const { keysOf, keyring } = createTestKeys();
const stranger = createTestKeys();
const call = makeCall({ args: { blog: 'b1' }, nowMs });
const genuine = makeDecided(call, keysOf('decider').sign);

function decided(decision: Partial<Statement<'decision'>>) {
  return makeDecided(call, keysOf('decider').sign, decision);
}

function codeOf(attempt: () => unknown): FaultCode | 'allowed' {
  try {
    attempt();
    return 'allowed';
  } catch (cause) {
    if (cause instanceof Fault) return cause.code;
    throw cause;
  }
}

describe('[P-statements-exact-call] the executor refuses', () => {
  const forged = makeDecided(call, {
    ...stranger.keysOf('decider').sign,
    keyId: keysOf('decider').sign.keyId,
  });
  const [head, , signature] = genuine.statement.split('.');
  const body = Buffer.from(JSON.stringify({ ...makeDecision(call), user: 'root' })).toString('base64url');
  test.each([
    ['a forged statement', forged],
    ['a statement signed by another role', makeDecided(call, keysOf('approver').sign)],
    ['an altered statement', { ...genuine, statement: `${head}.${body}.${signature}` }],
    ['a decision to ask', decided({ verdict: 'ask' })],
    ["another call's statement", { ...genuine, call: { ...genuine.call, call: 'c2' } }],
    ["another tenant's statement", { ...genuine, call: { ...genuine.call, tenant: 't2' } }],
    ["another user's statement", decided({ user: 'u2' })],
    ["another session's statement", decided({ session: 's2' })],
    [
      'changed arguments',
      { ...genuine, call: { ...genuine.call, arguments: canonicalJson({ blog: 'b2' }) } },
    ],
    ['a statement whose digest is not its own', decided({ callDigest: sha256('x') })],
  ])('%s', (_title, event) => {
    expect(codeOf(() => checkCall(event, keyring, nowMs))).toBe('statement_invalid');
  });

  test('a call with an obligation that no service carries out', () => {
    expect(codeOf(() => checkCall(decided({ obligations: [{ name: 'watermark' }] }), keyring, nowMs))).toBe(
      'obligation_unknown',
    );
  });

  test('a call from the instant at which its decision runs out', () => {
    const allowed = checkCall(genuine, keyring, nowMs);
    expect(codeOf(() => assertInTime(allowed.statement, call.notAfter))).toBe('deadline_passed');
    expect(codeOf(() => assertInTime(allowed.statement, call.notAfter - 1))).toBe('allowed');
  });
});

test('the executor acts on the signed fields of an allowed call, whatever else the event says', () => {
  const event = decided({ obligations: [{ name: 'audit' }] });
  const lying = { ...event.call, user: 'root', tool: 'other' };
  const allowed = checkCall({ ...event, call: lying }, keyring, nowMs);
  expect(allowed.statement).toMatchObject({ user: caller.user, tool: call.tool, call: call.call });
  expect(allowed.arguments).toEqual({ blog: 'b1' });
});
