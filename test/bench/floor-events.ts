/**
 * The floor's events: as large as the line's, and made once. What is signed or sealed in them is real, so that its
 * size is right; nobody reads it.
 */
import { generateKeyPairSync } from 'node:crypto';
import {
  type Call,
  type Claim,
  callDigestOf,
  type EventBody,
  limits,
  newId,
  type RpcReply,
  type Sealed,
  sealContext,
  sha256,
} from '@interlock/contracts';
import { rawPublicKey, seal, signStatement } from '@interlock/keys';
import { CREDENTIAL, THING } from './upstream.ts';

const TENANT = 'default';
const AGENT = 'bench';
const TOOL = 'bench-thing';
const ARGUMENTS = '{"id":1}';
const CLAIM_MS = 30_000;
const HOUR_MS = 3_600_000;

const who = { tenant: TENANT, agent: AGENT, user: 'alice', session: newId('s') };
const what = { tool: TOOL, toolVersion: sha256(TOOL), argumentsDigest: sha256(ARGUMENTS) };
const callDigest = callDigestOf({ ...who, ...what });

export interface SampleEvents {
  decided: Pick<EventBody<'decided'>, 'decision' | 'statement'>;
  charges: EventBody<'admitted'>['charges'];
  leaseKey: string;
  evidence: Claim['evidence'];
  credential: Sealed;
}

/** Makes what every call of the floor carries. */
export function sampleEvents(nowMs: number): SampleEvents {
  const signing = { keyId: newId('sig'), privateKey: generateKeyPairSync('ed25519').privateKey };
  const reader = { keyId: newId('box'), key: generateKeyPairSync('x25519').publicKey };
  const call = callOf(ARGUMENTS, newId('rep'), nowMs);
  const policyDigest = sha256('policy');
  const decision: EventBody<'decided'>['decision'] = {
    verdict: 'allow',
    reasons: [{ rule: 'allow_listed', text: 'A grant covers this tool for this tenant and role.' }],
    obligations: [],
    policyDigest,
    notes: [],
    policyVersion: 1,
    facts: {
      subject: {
        agent: AGENT,
        user: who.user,
        tenant: TENANT,
        roles: ['assistant'],
        proof: 'api_key',
      },
      action: { name: 'execute_tool' },
      tool: { name: TOOL, version: what.toolVersion, labels: ['reads-private'] },
      session: { id: who.session, labels: [], openedAt: nowMs },
      context: { time: new Date(nowMs).toISOString(), epochMs: nowMs, door: 'executor' },
    },
    decidedAt: nowMs,
  };
  const statement = signStatement(
    {
      type: 'decision',
      ...who,
      ...what,
      call: call.call,
      callDigest,
      verdict: 'allow',
      obligations: [],
      policyDigest,
      issuedAt: nowMs,
      notAfter: nowMs + limits.callMs,
    },
    signing,
  );
  const charges: SampleEvents['charges'] = [
    { limit: 'calls-per-agent', kind: 'rate', amount: 1, left: 9_999_999 },
    { limit: 'calls-per-agent', kind: 'concurrency', amount: 1, left: 9_999 },
  ];
  const record = JSON.stringify({ call, decision, statement, charges });
  return {
    decided: { decision, statement },
    charges,
    leaseKey: rawPublicKey(generateKeyPairSync('x25519').publicKey),
    evidence: seal(record, [reader], sealContext('evidence', call.call)),
    credential: seal(CREDENTIAL, [reader], sealContext('lease', call.call)),
  };
}

/** Returns a call as ingress would make it; the request is not checked. */
export function callOf(body: string, replyTo: string, nowMs: number): Call {
  return {
    ...who,
    ...what,
    call: newId('c'),
    arguments: body.length === 0 ? '{}' : ARGUMENTS,
    callDigest,
    replyTo,
    keepResult: false,
    requestedAt: nowMs,
    notAfter: nowMs + limits.callMs,
  };
}

/** Returns the claim of a call. */
export function claimOf(call: Call, { leaseKey, evidence }: SampleEvents, nowMs: number): Claim {
  return {
    ...who,
    ...what,
    call: call.call,
    callDigest,
    at: nowMs,
    replyTo: call.replyTo,
    keepResult: false,
    executor: 'floor',
    nonce: newId('claim'),
    claimMs: CLAIM_MS,
    idempotent: false,
    leaseKey,
    evidence,
  };
}

/** Returns the outcome of a claim. */
export function settledOf({ call }: Claim, nowMs: number): EventBody<'settled'> {
  return {
    tenant: TENANT,
    agent: AGENT,
    call,
    tool: TOOL,
    at: nowMs,
    outcome: 'succeeded',
    upstreamStatus: 200,
    result: { digest: sha256(THING), bytes: THING.length, mediaType: 'application/json' },
    redactions: 0,
    labels: ['reads-private'],
    executor: 'floor',
    keepResult: false,
    argumentsDigest: what.argumentsDigest,
  };
}

/** Returns an answer of the broker. */
export function leaseOf({ credential }: SampleEvents, nowMs: number): RpcReply<'broker.lease'> {
  return {
    credentials: [{ sealed: credential, inject: { as: 'bearer' } }],
    origin: 'http://127.0.0.1',
    notAfter: nowMs + HOUR_MS,
  };
}
