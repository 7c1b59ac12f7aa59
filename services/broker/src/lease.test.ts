import { generateKeyPairSync } from 'node:crypto';
import { canonicalJson, Fault, type FaultCode, type Settled, sha256, toolSchema } from '@interlock/contracts';
import { rawPublicKey } from '@interlock/keys';
import { describe, expect, test } from 'vitest';
import {
  CLAIMED_AT,
  makeAsked,
  makeClaim,
  makeFacts,
  makeKeys,
  makeStatement,
  switchesWith,
  tool,
} from './lease.fixture.ts';
import { grantLease, type LeaseFacts, readStatement } from './lease.ts';

const keys = makeKeys();
const leaseKey = rawPublicKey(generateKeyPairSync('x25519').publicKey);
const claim = makeClaim(leaseKey, keys);
const asked = makeAsked(keys.decider.sign);
const settled: Settled = {
  ...{ tenant: 't1', agent: 'a1', call: 'c1', tool: tool.name, at: CLAIMED_AT + 5 },
  outcome: 'unknown',
  redactions: 0,
  labels: [],
  executor: 'e1',
  keepResult: false,
  argumentsDigest: claim.argumentsDigest,
};

function decide(request = asked, facts = makeFacts(claim), nowMs = CLAIMED_AT + 10) {
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
  const forger = makeKeys();
  const forged = makeAsked({ ...forger.decider.sign, keyId: keys.decider.sign.keyId });
  const byOtherRole = makeAsked(keys.approver.sign);
  const asks: [string, () => unknown, FaultCode][] = [
    ['a statement with a forged signature', () => decide(forged), 'statement_invalid'],
    ['a statement signed by another role', () => decide(byOtherRole), 'statement_invalid'],
    [
      'a statement altered after it was signed',
      () => decide({ ...asked, statement: altered() }),
      'statement_invalid',
    ],
    ['a decision to ask a person', () => decide(signed({ verdict: 'ask' })), 'lease_refused'],
    ["another call's statement", () => decide({ ...asked, call: 'c2' }), 'lease_refused'],
    ["another tenant's statement", () => decide({ ...asked, tenant: 't2' }), 'lease_refused'],
    ["another user's statement", () => decide(signed({ user: 'u2' })), 'lease_refused'],
    ["another agent's statement", () => decide(signed({ agent: 'a2' })), 'lease_refused'],
    ["another session's statement", () => decide(signed({ session: 's2' })), 'lease_refused'],
    [
      'changed arguments',
      () => decide({ ...asked, arguments: canonicalJson({ blog: 'b2' }) }),
      'lease_refused',
    ],
    ['a statement for other arguments', () => decide(otherArguments()), 'lease_refused'],
    [
      'a statement whose digest is not its own',
      () => decide(signed({ callDigest: sha256('x') })),
      'lease_refused',
    ],
    [
      'a call claimed after its decision ran out',
      () => decide(signed({ notAfter: CLAIMED_AT - 1 })),
      'lease_refused',
    ],
  ];
  test.each(asks)('%s', (_title, attempt, code) => expect(codeOf(attempt)).toBe(code));

  const ledger: [string, Partial<LeaseFacts>, FaultCode][] = [
    ['a call that is not claimed', { last: undefined }, 'lease_refused'],
    ['a settled call', { last: { step: 'settled', body: settled, sequence: 8 } }, 'lease_refused'],
    ['a claim of another call', claimed({ call: 'c2' }), 'lease_refused'],
    ['a claim without a key to seal to', claimed({ leaseKey: undefined }), 'lease_refused'],
    ['a claim from the future', claimed({ at: CLAIMED_AT + 60_000 }), 'lease_refused'],
    ['a claim past its limit', claimed({ at: CLAIMED_AT - 30_000 }), 'lease_refused'],
    ['a claim made again of a first claim nobody knows', restarted(undefined), 'lease_refused'],
    ['a claim made again of a call first claimed too late', restarted(CLAIMED_AT + 1), 'lease_refused'],
    ['a tool that is gone', { tool: undefined }, 'tool_changed'],
    [
      'a tool of another version',
      { tool: toolSchema.parse({ ...tool, description: 'Else.' }) },
      'tool_changed',
    ],
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
  ];
  test.each(ledger)('%s', (_title, facts, code) =>
    expect(codeOf(() => decide(asked, makeFacts(claim, facts)))).toBe(code),
  );
});

describe('a claimed and decided call', () => {
  test('gets its credential for the origin of the pinned tool and no other', () => {
    expect(decide()).toEqual({
      credential: 'blog',
      inject: { as: 'bearer' },
      leaseKey,
      origin: 'https://api.example.com',
      notAfter: claim.at + claim.claimMs,
    });
  });

  test('gets it until the instant its claim runs out', () => {
    const last = CLAIMED_AT + claim.claimMs;
    expect(codeOf(() => decide(asked, makeFacts(claim), last))).toBe('granted');
    expect(codeOf(() => decide(asked, makeFacts(claim), last + 1))).toBe('lease_refused');
  });

  test('gets it when it is claimed again, although its decision has run out since', () => {
    const again = makeClaim(leaseKey, keys, { at: CLAIMED_AT + 40_000 });
    const facts = makeFacts(again, {
      last: { step: 'restarted', body: again, sequence: 9 },
      firstClaimedAt: CLAIMED_AT,
    });
    expect(codeOf(() => decide(asked, facts, CLAIMED_AT + 40_001))).toBe('granted');
  });
});

function signed(overrides: Parameters<typeof makeStatement>[0]) {
  return makeAsked(keys.decider.sign, {}, makeStatement(overrides));
}

function otherArguments() {
  const other = canonicalJson({ blog: 'b2' });
  return { ...signed({ argumentsDigest: sha256(other) }), arguments: other };
}

function altered(): string {
  const [head, , signature] = asked.statement.split('.');
  const body = Buffer.from(JSON.stringify(makeStatement({ tenant: 't1', user: 'root' }))).toString(
    'base64url',
  );
  return `${head}.${body}.${signature}`;
}

function claimed(
  overrides: Partial<Omit<typeof claim, 'leaseKey'>> & { leaseKey?: undefined },
): Partial<LeaseFacts> {
  const { leaseKey: ownKey, ...rest } = claim;
  const body = {
    ...rest,
    ...('leaseKey' in overrides ? {} : { leaseKey: leaseKey }),
    ...withoutKey(overrides),
  };
  return { last: { step: 'started', body, sequence: 7 }, firstClaimedAt: body.at };
}

function withoutKey<T extends { leaseKey?: undefined }>({
  leaseKey: _none,
  ...rest
}: T): Omit<T, 'leaseKey'> {
  return rest;
}

function restarted(firstClaimedAt: number | undefined): Partial<LeaseFacts> {
  return { last: { step: 'restarted', body: claim, sequence: 9 }, firstClaimedAt };
}
