import { generateKeyPairSync } from 'node:crypto';
import {
  Fault,
  type FaultCode,
  type RpcRequest,
  type Settled,
  type Statement,
  sha256,
} from '@interlock/contracts';
import { rawPublicKey } from '@interlock/keys';
import { createTestKeys, makeClaim, makeDecision } from '@interlock/testkit';
import { describe, expect, test } from 'vitest';
import { askedFor, CLAIMED_AT, call, otherArguments, switchesWith, tool } from './lease.fixture.ts';
import { grantLease, type LeaseFacts, readStatement } from './lease.ts';

const keys = createTestKeys();
const leaseKey = rawPublicKey(generateKeyPairSync('x25519').publicKey);
const claim = makeClaim(call, keys.keyring, { at: CLAIMED_AT, leaseKey });
const { leaseKey: _none, ...keyless } = claim;
const asked = askedFor(keys.keysOf('decider').sign);
const settled: Settled = {
  ...{ tenant: call.tenant, agent: call.agent, call: call.call, tool: tool.name, at: CLAIMED_AT + 5 },
  outcome: 'unknown',
  redactions: 0,
  labels: [],
  executor: 'exe_1',
  keepResult: false,
  argumentsDigest: claim.argumentsDigest,
};

function factsOf(changes: Partial<LeaseFacts> = {}): LeaseFacts {
  return { ...started(claim), tool, switches: switchesWith(), ...changes };
}

function started(body: typeof claim) {
  return { last: { step: 'started' as const, body, sequence: 7 }, firstClaimedAt: body.at };
}

function restarted(firstClaimedAt: number | undefined, body = claim) {
  return { last: { step: 'restarted' as const, body, sequence: 9 }, firstClaimedAt };
}

function decide(request = asked, facts = factsOf(), nowMs = CLAIMED_AT + 10) {
  return grantLease(request, readStatement(request, keys.keyring, nowMs), facts, nowMs);
}

function codeOf(attempt: () => unknown): FaultCode | 'granted' {
  try {
    attempt();
    return 'granted';
  } catch (cause) {
    if (cause instanceof Fault) return cause.code;
    throw cause;
  }
}

describe('[P-broker-lease] the broker leases nothing for', () => {
  test.each<[string, RpcRequest<'broker.lease'>, FaultCode]>([
    ['a statement with a forged signature', forged(), 'statement_invalid'],
    ['a statement signed by another role', askedFor(keys.keysOf('approver').sign), 'statement_invalid'],
    ['a statement altered after it was signed', { ...asked, statement: altered() }, 'statement_invalid'],
    ['a decision to ask a person', saying({ verdict: 'ask' }), 'lease_refused'],
    ["another call's statement", { ...asked, call: 'c2' }, 'lease_refused'],
    ["another tenant's statement", { ...asked, tenant: 't2' }, 'lease_refused'],
    ["another user's statement", saying({ user: 'u2' }), 'lease_refused'],
    ["another agent's statement", saying({ agent: 'a2' }), 'lease_refused'],
    ["another session's statement", saying({ session: 's2' }), 'lease_refused'],
    ['changed arguments', { ...asked, arguments: otherArguments }, 'lease_refused'],
    [
      'a statement for other arguments',
      { ...saying({ argumentsDigest: sha256(otherArguments) }), arguments: otherArguments },
      'lease_refused',
    ],
    ['a statement whose digest is not its own', saying({ callDigest: sha256('x') }), 'lease_refused'],
    ['a call claimed after its decision ran out', saying({ notAfter: CLAIMED_AT - 1 }), 'lease_refused'],
  ])('%s', (_title, request, code) => expect(codeOf(() => decide(request))).toBe(code));

  test.each<[string, Partial<LeaseFacts>, FaultCode]>([
    ['a call that is not claimed', { last: undefined }, 'lease_refused'],
    ['a settled call', { last: { step: 'settled', body: settled, sequence: 8 } }, 'lease_refused'],
    ['a claim of another call', started({ ...claim, call: 'c2' }), 'lease_refused'],
    ['a claim without a key to seal to', started(keyless), 'lease_refused'],
    ['a claim from the future', started({ ...claim, at: CLAIMED_AT + 60_000 }), 'lease_refused'],
    ['a claim past its limit', started({ ...claim, at: CLAIMED_AT - 30_000 }), 'lease_refused'],
    ['a claim made again whose first claim is unknown', restarted(undefined), 'lease_refused'],
    ['a claim made again of a call first claimed too late', restarted(CLAIMED_AT + 1), 'lease_refused'],
    ['a tool that is gone', { tool: undefined }, 'tool_changed'],
    ['a tool of another version', { tool: { ...tool, description: 'Other.' } }, 'tool_changed'],
    ['a call the kill switch stops', { switches: switchesWith('all') }, 'killed'],
    [
      'a call whose credential the kill switch stops',
      { switches: switchesWith('credential.blog') },
      'killed',
    ],
    [
      'a call when the switches may be behind',
      { switches: { ...switchesWith(), current: false } },
      'dependency_unavailable',
    ],
  ])('%s', (_title, facts, code) => expect(codeOf(() => decide(asked, factsOf(facts)))).toBe(code));
});

describe('a claimed and decided call', () => {
  test('gets its credential for the origin of the pinned tool and no other', () => {
    expect(decide()).toEqual({
      credentials: [{ name: 'blog', inject: { as: 'bearer' } }],
      leaseKey,
      origin: 'https://api.example.com',
      notAfter: claim.at + claim.claimMs,
    });
  });

  test('gets it until the instant its claim runs out', () => {
    const last = CLAIMED_AT + claim.claimMs;
    expect(codeOf(() => decide(asked, factsOf(), last))).toBe('granted');
    expect(codeOf(() => decide(asked, factsOf(), last + 1))).toBe('lease_refused');
  });

  test('gets it when it is claimed again, although its decision has run out since', () => {
    const again = restarted(CLAIMED_AT, { ...claim, at: CLAIMED_AT + 40_000 });
    expect(codeOf(() => decide(asked, factsOf(again), CLAIMED_AT + 40_001))).toBe('granted');
  });
});

/** The decider really signed this, about this call. */
function saying(changes: Partial<Statement<'decision'>>) {
  return askedFor(keys.keysOf('decider').sign, changes);
}

function forged() {
  const stranger = createTestKeys().keysOf('decider').sign;
  return askedFor({ ...stranger, keyId: keys.keysOf('decider').sign.keyId });
}

function altered(): string {
  const [head, , signature] = asked.statement.split('.');
  const body = Buffer.from(JSON.stringify(makeDecision(call, { user: 'root' }))).toString('base64url');
  return `${head}.${body}.${signature}`;
}
