/**
 * What executor and broker make of decisions that are not quite right. The tests speak on the bus with the limiter's
 * account, as somebody could who took the limiter over, and sign with whatever key a case names.
 */
import type { Bus } from '@interlock/bus';
import {
  type Call,
  callDigestOf,
  canonicalJson,
  createKey,
  type DecisionRecord,
  type EventBody,
  Fault,
  newId,
  type RpcRequest,
  type ServiceKeys,
  type ServiceName,
  type SigningKey,
  type Statement,
  seal,
  sealContext,
  serviceKeysSchema,
  services,
  sha256,
  signJws,
  type Tool,
  toolVersionOf,
} from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { joinBus, keyringOf, keysOf } from './inside.ts';
import { type Line, startLine } from './line.ts';

const START_MS = 100_000;
const DOOR = { kind: 'executor', replica: 'any' } as const;
const policyDigest = sha256('a policy');

let line: Line;
let limiter: Bus;
let executor: Bus;
let tool: Tool;
const keys = new Map<ServiceName, ServiceKeys>();
beforeAll(async () => {
  line = await startLine();
  limiter = await joinBus(line.interlock, 'limiter');
  executor = await joinBus(line.interlock, 'executor');
  tool = (await executor.entries('tools').get('write'))?.value ?? expect.unreachable();
  for (const service of services) keys.set(service, await keysOf(line.interlock, service));
}, START_MS);
afterAll(async () => {
  await limiter?.[Symbol.asyncDispose]();
  await executor?.[Symbol.asyncDispose]();
  await line?.[Symbol.asyncDispose]();
}, START_MS);

function signerOf(service: ServiceName): SigningKey {
  return keys.get(service)?.sign ?? expect.unreachable();
}

/** Returns a call as ingress would make it. */
function callOf(changes: Partial<Call> = {}): Call {
  const text = canonicalJson({ text: newId('t') });
  const who = { tenant: 'acme', agent: 'helper', user: 'alice', session: 'ses_1', ...changes };
  const what = { tool: 'write', toolVersion: toolVersionOf(tool), argumentsDigest: sha256(text) };
  const bound = { ...who, ...what, ...changes };
  return {
    ...{ ...bound, call: newId('c'), door: DOOR, arguments: text, callDigest: callDigestOf(bound) },
    ...{ replyTo: 'rep_1', keepResult: false, requestedAt: Date.now(), notAfter: Date.now() + 30_000 },
    ...changes,
  };
}

/** Returns what the decider would say about a call. */
function decisionOf(call: Call, changes: object = {}): Statement<'decision'> {
  const { tenant, agent, user, session, toolVersion, argumentsDigest, callDigest, notAfter, requestedAt } =
    call;
  return {
    ...{ type: 'decision', tenant, agent, user, session, call: call.call, door: DOOR, tool: call.tool },
    ...{ toolVersion, argumentsDigest, callDigest, verdict: 'allow', obligations: [], policyDigest },
    ...{ issuedAt: requestedAt, notAfter },
    ...changes,
  };
}

function sign(statement: object, by: SigningKey = signerOf('decider'), type = 'interlock-decision'): string {
  return signJws(type, statement, by);
}

function admittedOf(call: Call, statement: string): EventBody<'admitted'> {
  const decision: DecisionRecord = {
    ...{ verdict: 'allow', reasons: [], obligations: [], policyDigest, facts: {}, decidedAt: Date.now() },
  };
  return { call, decision, statement, takings: [] };
}

async function admit(call: Call, statement: string, address: Pick<Call, 'tenant' | 'call'> = call) {
  const { tenant, call: id } = address;
  await limiter.publish('admitted', { tenant, call: id, door: DOOR }, admittedOf(call, statement), 'any');
}

/** Changes what a signed statement says and leaves its signature. */
function altered(jws: string, changes: object): string {
  const [head = '', payload = '', signature = ''] = jws.split('.');
  const said: object = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
  return [head, Buffer.from(JSON.stringify({ ...said, ...changes })).toString('base64url'), signature].join(
    '.',
  );
}

function unsigned(jws: string): string {
  const head = Buffer.from(JSON.stringify({ alg: 'none', typ: 'interlock-decision' })).toString('base64url');
  return `${head}.${jws.split('.')[1]}.`;
}

function strangersKey(): SigningKey {
  const { privateKey, certified } = createKey('decider', 'sign', Date.now() + 60_000);
  const file = { service: 'decider', busSeed: 's', sign: { keyId: certified.keyId, privateKey } };
  const box = createKey('decider', 'seal', Date.now() + 60_000);
  return serviceKeysSchema.parse({
    ...file,
    seal: { keyId: box.certified.keyId, privateKey: box.privateKey },
  }).sign;
}

const own = (call: Call) => sign(decisionOf(call));
const forgeries: [string, string, (call: Call) => string][] = [
  ['signed by the limiter', 'statement_invalid', (call) => sign(decisionOf(call), signerOf('limiter'))],
  ['signed by the executor', 'statement_invalid', (call) => sign(decisionOf(call), signerOf('executor'))],
  ['signed by the console', 'statement_invalid', (call) => sign(decisionOf(call), signerOf('console'))],
  [
    'signed with a key nobody certified',
    'statement_invalid',
    (call) => sign(decisionOf(call), strangersKey()),
  ],
  [
    'signed under the name of the decider’s key',
    'statement_invalid',
    (call) => sign(decisionOf(call), { ...strangersKey(), keyId: signerOf('decider').keyId }),
  ],
  ['with no signature', 'statement_invalid', (call) => unsigned(own(call))],
  ['of another type', 'statement_invalid', (call) => sign(decisionOf(call), undefined, 'interlock-entry')],
  ['altered after signing', 'statement_invalid', (call) => altered(own(callOf()), { call: call.call })],
  ['that asks and does not allow', 'statement_invalid', (call) => sign(decisionOf(call, { verdict: 'ask' }))],
  ['about another call', 'statement_invalid', () => own(callOf())],
  ['about another user', 'statement_invalid', (call) => sign(decisionOf(call, { user: 'rita' }))],
  ['about another agent', 'statement_invalid', (call) => sign(decisionOf(call, { agent: 'other' }))],
  ['about another session', 'statement_invalid', (call) => sign(decisionOf(call, { session: 'ses_2' }))],
  ['about another tenant', 'statement_invalid', (call) => own(callOf({ tenant: 'rival', call: call.call }))],
  ['about another tool', 'statement_invalid', (call) => sign(decisionOf(call, { tool: 'read' }))],
  ['about other arguments', 'statement_invalid', (call) => own({ ...callOf(), call: call.call })],
  [
    'about another version of the tool',
    'tool_changed',
    (call) =>
      own(
        callOf({
          ...call,
          toolVersion: sha256('old'),
          callDigest: callDigestOf({ ...call, toolVersion: sha256('old') }),
        }),
      ),
  ],
  [
    'that has run out',
    'deadline_passed',
    (call) => sign(decisionOf(call, { notAfter: call.requestedAt - 1 })),
  ],
];

describe('the executor', () => {
  test('[P-statements-exact-call] carries out what the decider allowed, once, however often it is replayed', async () => {
    const call = callOf();
    for (let times = 0; times < 3; times += 1) await admit(call, own(call));
    const settled = await eventually(() => executor.readStep('settled', 'acme', call.call));
    expect(settled.body.outcome).toBe('succeeded');
    await admit(call, own(call));
    const last = callOf();
    await admit(last, own(last));
    await eventually(() => executor.readStep('settled', 'acme', last.call));
    expect(line.upstream.effects.get(call.call)).toBe(1);
  });

  test.each(forgeries)(
    '[P-statements-exact-call] [P-statements-role-bound] refuses a decision %s',
    async (_name, code, forge) => {
      const call = callOf();
      await admit(call, forge(call));
      const refused = await eventually(() => executor.readStep('refused', 'acme', call.call));
      expect(refused.body).toMatchObject({ by: 'executor', code });
      expect(await executor.readStep('started', 'acme', call.call)).toBeUndefined();
      expect(line.upstream.effects.get(call.call)).toBeUndefined();
    },
  );

  test('[P-statements-exact-call] refuses a genuine decision that comes under the name of another call', async () => {
    const [genuine, other] = [callOf(), callOf()];
    await admit(genuine, own(genuine), other);
    const refused = await eventually(() => executor.readStep('refused', 'acme', other.call));
    expect(refused.body.code).toBe('statement_invalid');
    expect(line.upstream.effects.get(genuine.call)).toBeUndefined();
  });
});

describe('the broker', () => {
  /** Claims a call as an executor does; `changes` make the claim speak of something else. */
  async function claim(call: Call, changes: Partial<EventBody<'started'>> = {}): Promise<void> {
    const { tenant, agent, user, session, toolVersion, argumentsDigest, callDigest, replyTo } = call;
    const box = createKey('executor', 'seal', Date.now() + 60_000).certified.publicKey;
    const auditors = (await keyringOf(line.interlock)).sealKeysOf('auditor', Date.now());
    const claimed = await executor.claim(
      'started',
      {
        ...{ tenant, agent, user, session, call: call.call, tool: call.tool, toolVersion, argumentsDigest },
        ...{ callDigest, replyTo, keepResult: false, at: Date.now(), executor: 'exe_1', nonce: newId('n') },
        ...{ claimMs: 20_000, idempotent: false, leaseKey: box },
        evidence: seal('{}', auditors, sealContext('evidence', call.call)),
        ...changes,
      },
      0,
    );
    expect(claimed.stored).toBe(true);
  }

  async function lease(asked: RpcRequest<'broker.lease'>): Promise<string> {
    try {
      await executor.ask('broker.lease', asked, 5_000);
      return 'leased';
    } catch (error) {
      if (error instanceof Fault) return error.code;
      throw error;
    }
  }

  const askedOf = (call: Call, statement = own(call)) => ({
    ...{ tenant: call.tenant, call: call.call, statement, arguments: call.arguments },
  });

  test('[P-broker-lease] leases for a claimed call, and for none that is not claimed', async () => {
    const call = callOf();
    expect(await lease(askedOf(call))).toBe('lease_refused');
    await claim(call);
    expect(await lease(askedOf(call))).toBe('leased');
  });

  test.each(forgeries)(
    '[P-statements-exact-call] [P-broker-lease] refuses a decision %s',
    async (_name, _code, forge) => {
      const call = callOf();
      await claim(call);
      expect(await lease(askedOf(call, forge(call)))).toMatch(
        /^(statement_invalid|lease_refused|tool_changed)$/,
      );
      expect(await lease({ ...askedOf(call), arguments: '{"text":"other"}' })).toBe('lease_refused');
    },
  );

  test.each<[string, Partial<EventBody<'started'>>]>([
    ['of another user', { user: 'rita' }],
    ['of another session', { session: 'ses_2' }],
    ['of another digest', { callDigest: sha256('other') }],
    ['without a key to seal to', { leaseKey: undefined }],
    ['that ran out', { at: Date.now() - 60_000, claimMs: 1_000 }],
    ['from the future', { at: Date.now() + 600_000 }],
  ])('[P-broker-lease] refuses for a claim %s', async (_name, changes) => {
    const call = callOf();
    await claim(call, changes);
    expect(await lease(askedOf(call))).toBe('lease_refused');
  });
});
