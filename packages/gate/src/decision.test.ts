import { canonicalJson, Fault, type FaultCode, type Statement, sha256 } from '@interlock/contracts';
import { signJws } from '@interlock/keys';
import { createTestKeys, makeCall, makeDecided, makeDecision } from '@interlock/testkit';
import { describe, expect, test } from 'vitest';
import {
  assertDigests,
  assertInTime,
  assertObligations,
  assertSameCall,
  type DecidedCall,
  verifyDecision,
} from './decision.ts';

const nowMs = 1_800_000_000_000;
const keys = createTestKeys();
const stranger = createTestKeys();
const key = keys.signingKeyOf('decider');
const call = makeCall({ args: { blog: 'b1' }, nowMs });
const other = makeCall({ args: { blog: 'b2' }, nowMs });
const genuine = makeDecided(call, key);

/** The same decision about the same call, with something wrong in what the decider itself signed. */
function saying(changes: Partial<Statement<'decision'>>): DecidedCall {
  return { call, statement: makeDecided(call, key, changes).statement };
}

/** The genuine decision, held beside something else than the call it is about. */
function beside(changes: Partial<DecidedCall['call']>): DecidedCall {
  return { call: { ...call, ...changes }, statement: genuine.statement };
}

/** The three fields that every asker has. */
function least({ call: { tenant, call: id, arguments: text }, statement }: DecidedCall): DecidedCall {
  return { call: { tenant, call: id, arguments: text }, statement };
}

function codeOf(attempt: () => unknown): FaultCode | 'none' {
  try {
    attempt();
    return 'none';
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
}

const [head, , signature] = genuine.statement.split('.');
const altered = Buffer.from(JSON.stringify({ ...makeDecision(call), user: 'root' })).toString('base64url');

describe('[P-statements-role-bound] a decision is not authentic', () => {
  test.each<[string, string]>([
    ['signed by another service', makeDecided(call, keys.signingKeyOf('executor')).statement],
    [
      'signed by the decider of another installation',
      makeDecided(call, stranger.signingKeyOf('decider')).statement,
    ],
    [
      'signed by a stranger under the id of the decider’s key',
      makeDecided(call, { ...stranger.signingKeyOf('decider'), keyId: key.keyId }).statement,
    ],
    ['altered after it was signed', `${head}.${altered}.${signature}`],
    ['signed as a statement of another type', signJws('interlock-resolution', makeDecision(call), key)],
    ['without a field that a decision has', signJws('interlock-decision', { type: 'decision' }, key)],
    ['not there', ''],
  ])('%s', (_wrong, statement) => {
    const attempt = () => verifyDecision({ call, statement }, 'allow', keys.keyring, nowMs, 'lease_refused');
    expect(codeOf(attempt)).toBe('statement_invalid');
  });

  test('from the instant on at which the key that signed it is not valid any more', () => {
    const short = createTestKeys({ notAfterMs: nowMs });
    const { statement } = makeDecided(call, short.signingKeyOf('decider'));
    const at = (ms: number) => codeOf(() => verifyDecision({ call, statement }, 'allow', short.keyring, ms));
    expect([at(nowMs - 1), at(nowMs)]).toEqual(['none', 'statement_invalid']);
  });
});

describe('[P-statements-exact-call] an authentic decision does not allow', () => {
  const wrong: [string, DecidedCall][] = [
    ['a call that it asks a person about', saying({ verdict: 'ask' })],
    ['another call', beside({ call: other.call })],
    ['another tenant', beside({ tenant: 'other' })],
    ['other arguments', beside({ arguments: canonicalJson({ blog: 'b2' }) })],
    ['the same arguments written in another way', beside({ arguments: '{ "blog": "b1" }' })],
    ['another user than its own digest covers', saying({ user: 'other' })],
    ['another agent than its own digest covers', saying({ agent: 'other' })],
    ['another session than its own digest covers', saying({ session: 'other' })],
    ['another tool than its own digest covers', saying({ tool: 'other' })],
    ['another version of the tool than its own digest covers', saying({ toolVersion: sha256('other') })],
    ['a call whose digest it does not name', saying({ callDigest: sha256('other') })],
    [
      'other arguments with a digest of theirs that the call’s digest does not cover',
      {
        call: { ...call, arguments: other.arguments, argumentsDigest: other.argumentsDigest },
        statement: saying({ argumentsDigest: other.argumentsDigest }).statement,
      },
    ],
  ];

  test.each(wrong)('%s', (_wrong, decided) => {
    expect(codeOf(() => verifyDecision(decided, 'allow', keys.keyring, nowMs))).toBe('statement_invalid');
  });

  test.each(wrong)(
    '%s, also to an asker that holds no more than tenant, id and arguments',
    (_wrong, decided) => {
      const attempt = () => verifyDecision(least(decided), 'allow', keys.keyring, nowMs, 'lease_refused');
      expect(codeOf(attempt)).toBe('lease_refused');
    },
  );

  test.each(['agent', 'user', 'session', 'tool', 'toolVersion', 'argumentsDigest', 'callDigest'] as const)(
    'a call of which the asker knows another %s',
    (field) => {
      const decided = beside({ [field]: 'other' });
      expect(codeOf(() => verifyDecision(decided, 'allow', keys.keyring, nowMs))).toBe('statement_invalid');
    },
  );
});

test('a decision that allows does not ask', () => {
  expect(codeOf(() => verifyDecision(genuine, 'ask', keys.keyring, nowMs))).toBe('statement_invalid');
});

test('an authentic decision about this very call is returned, for each verdict', () => {
  const asking = saying({ verdict: 'ask' });
  expect(verifyDecision(genuine, 'allow', keys.keyring, nowMs)).toEqual(makeDecision(call));
  expect(verifyDecision(least(genuine), 'allow', keys.keyring, nowMs)).toEqual(makeDecision(call));
  expect(verifyDecision(asking, 'ask', keys.keyring, nowMs)).toMatchObject({ verdict: 'ask' });
});

describe('[P-statements-exact-call] a call does not have its digests', () => {
  test.each<[string, object]>([
    ['arguments changed under their digest', { arguments: other.arguments }],
    ['another digest of the arguments', { argumentsDigest: other.argumentsDigest }],
    ['other arguments and their digest', { ...other, callDigest: call.callDigest }],
    ['another digest of the call', { callDigest: other.callDigest }],
    ['another tenant', { tenant: 'other' }],
    ['another user', { user: 'other' }],
  ])('with %s', (_wrong, changes) => {
    expect(codeOf(() => assertDigests({ ...call, ...changes }))).toBe('statement_invalid');
  });

  test('which it has as it was made', () => {
    expect(codeOf(() => assertDigests(call))).toBe('none');
  });
});

test('a claim of another call is not the decided call', () => {
  const decision = makeDecision(call);
  expect(codeOf(() => assertSameCall(call, decision))).toBe('none');
  expect(codeOf(() => assertSameCall({ ...call, user: 'other' }, decision, 'lease_refused'))).toBe(
    'lease_refused',
  );
});

test('a decided call may start until its last instant and not at it', () => {
  const { notAfter } = makeDecision(call);
  expect(codeOf(() => assertInTime({ notAfter }, notAfter - 1))).toBe('none');
  expect(codeOf(() => assertInTime({ notAfter }, notAfter))).toBe('deadline_passed');
});

describe('[P-obligations] obligations', () => {
  test.each([
    ['one that no service carries out', [{ name: 'watermark' }]],
    ['one among others', [{ name: 'announce' }, { name: 'watermark' }]],
    ['one in other letters', [{ name: 'Limit' }]],
  ])('refuse the call for %s', (_wrong, obligations) => {
    expect(codeOf(() => assertObligations({ obligations }))).toBe('obligation_unknown');
  });

  test('that services carry out let it pass', () => {
    const obligations = ['announce', 'approval', 'audit', 'limit'].map((name) => ({ name }));
    expect(codeOf(() => assertObligations({ obligations }))).toBe('none');
  });
});
