/** Decisions as the decider makes them, and forgeries of every kind, to test who accepts them. */
import { generateKeyPairSync } from 'node:crypto';
import { type Call, newId, type ServiceName, type Statement, sha256 } from '@interlock/contracts';
import { type SigningKey, signJws } from '@interlock/keys';
import { type CallParts, makeCall, makeDecision } from '@interlock/testkit';

export const POLICY_DIGEST = sha256('a policy');

/** The private keys of every service, and the version of the tool `write`. */
export interface Stolen {
  keyOf: (service: ServiceName) => SigningKey;
  toolVersion: string;
}

/** Returns a call of the tool `write` as ingress would make it. */
export function callOf({ toolVersion }: Pick<Stolen, 'toolVersion'>, parts: CallParts = {}): Call {
  const who = { agent: 'helper', user: 'alice' };
  return makeCall({ ...who, tool: 'write', toolVersion, args: { text: newId('t') }, ...parts });
}

/** Returns the decider's statement that allows a call. */
export function decisionOf(call: Call, changes: object = {}): Statement<'decision'> {
  return { ...makeDecision(call, { policyDigest: POLICY_DIGEST }), ...changes };
}

/** Returns a call's own, genuine decision. */
export function own(call: Call, stolen: Stolen): string {
  return signJws('interlock-decision', decisionOf(call), stolen.keyOf('decider'));
}

/** What is wrong with a decision, and the code with which the executor refuses it. */
export type Forgery = [wrong: string, code: string, forge: (call: Call, stolen: Stolen) => string];

const by = (service: ServiceName): Forgery => [
  `signed by the ${service}`,
  'statement_invalid',
  (call, { keyOf }) => signJws('interlock-decision', decisionOf(call), keyOf(service)),
];
const saying = (wrong: string, changes: (call: Call) => object, code = 'statement_invalid'): Forgery => [
  wrong,
  code,
  (call, { keyOf }) => signJws('interlock-decision', decisionOf(call, changes(call)), keyOf('decider')),
];
const genuineFor = (wrong: string, other: (call: Call) => CallParts, code = 'statement_invalid'): Forgery => [
  wrong,
  code,
  (call, stolen) => own(callOf(stolen, other(call)), stolen),
];

export const forgeries: readonly Forgery[] = [
  ...(['ingress', 'limiter', 'approver', 'broker', 'executor', 'console'] as const).map(by),
  [
    'signed with a key nobody certified',
    'statement_invalid',
    (call) => signJws('interlock-decision', decisionOf(call), strangersKey(newId('sig'))),
  ],
  [
    'signed under the name of the decider’s key',
    'statement_invalid',
    (call, { keyOf }) =>
      signJws('interlock-decision', decisionOf(call), strangersKey(keyOf('decider').keyId)),
  ],
  ['with no signature', 'statement_invalid', (call, stolen) => unsigned(own(call, stolen))],
  [
    'of another type',
    'statement_invalid',
    (call, { keyOf }) => signJws('interlock-entry', decisionOf(call), keyOf('decider')),
  ],
  [
    'altered after signing',
    'statement_invalid',
    (call, stolen) => altered(own(callOf(stolen), stolen), decisionOf(call)),
  ],
  saying('that asks and does not allow', () => ({ verdict: 'ask' })),
  saying('with another user in it', () => ({ user: 'rita' })),
  saying('with another agent in it', () => ({ agent: 'other' })),
  saying('with another session in it', () => ({ session: 'ses_2' })),
  saying('with another tool in it', () => ({ tool: 'read' })),
  saying('that has run out', ({ requestedAt }) => ({ notAfter: requestedAt - 1 }), 'deadline_passed'),
  genuineFor('for another call', () => ({})),
  genuineFor('for other arguments', ({ call }) => ({ call })),
  genuineFor('for another tenant', ({ call }) => ({ call, tenant: 'rival' })),
  genuineFor(
    'for another version of the tool',
    ({ call, arguments: text }) => ({ call, args: JSON.parse(text), toolVersion: sha256('old') }),
    'tool_changed',
  ),
];

function strangersKey(keyId: string): SigningKey {
  return { keyId, privateKey: generateKeyPairSync('ed25519').privateKey };
}

/** Changes what a signed statement says and leaves its signature. */
function altered(jws: string, said: object): string {
  const [head, , signature] = jws.split('.');
  return `${head}.${Buffer.from(JSON.stringify(said)).toString('base64url')}.${signature}`;
}

function unsigned(jws: string): string {
  const head = Buffer.from(JSON.stringify({ alg: 'none', typ: 'interlock-decision' })).toString('base64url');
  return `${head}.${jws.split('.')[1]}.`;
}
