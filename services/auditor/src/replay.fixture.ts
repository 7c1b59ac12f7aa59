/** Fills an audit store with calls as if they had been recorded, through the store's own insert. */
import {
  canonicalJson,
  type DecisionRecord,
  type Evidence,
  factsSchema,
  type Json,
  type PolicyInput,
  parsedJsonSchema,
  sha256,
} from '@interlock/contracts';
import { z } from 'zod';
import { genesisOf, type Head, headAfter, link } from './chain.ts';
import type { RecordStore } from './mongo.ts';
import { recordOf } from './record.ts';

/** No stream of a test was created then, so its records and these do not mix. */
const CREATED = '2025-01-01T00:00:00Z';
const BATCH_RECORDS = 250;
const recordedFactsSchema = z.record(z.string(), parsedJsonSchema);
const DIGEST = 'd'.repeat(64);

/** A recorded call, as far as a test cares. */
export interface Filling {
  call: string;
  at: number;
  step?: 'asked' | 'started' | 'refused' | 'evaluated' | 'settled';
  tenant?: string;
  agent?: string;
  tool?: string;
  code?: string;
  arguments?: Record<string, Json>;
  verdict?: 'allow' | 'ask' | 'deny';
  /** False for a call that was refused before policy was asked. */
  decided?: boolean;
  policyDigest?: string;
  input?: Partial<PolicyInput>;
}

/** Inserts the calls in order, as one chain. */
export async function fillStore(
  store: Pick<RecordStore, 'insert'>,
  fillings: readonly Filling[],
  created = CREATED,
): Promise<void> {
  let head: Head = { stream: 'LEDGER', created, sequence: 0, hash: genesisOf('LEDGER', created) };
  for (let from = 0; from < fillings.length; from += BATCH_RECORDS) {
    const batch = fillings.slice(from, from + BATCH_RECORDS);
    const plain = batch.map((filling, index) => unlinkedOf(filling, created, from + index + 1));
    const records = link(head, plain);
    const { conflicts, refusedAt } = await store.insert(records);
    if (conflicts.length > 0 || refusedAt !== undefined) throw new Error('The store did not take the calls.');
    head = headAfter(records.at(-1) ?? head);
  }
}

function unlinkedOf(filling: Filling, created: string, sequence: number) {
  const { call, at, step = 'started', tenant = 'acme', agent = 'clerk', tool = 'pay', code } = filling;
  const named = { tenant, agent, call, tool };
  const box = { evidence: { sender: '', salt: '', recipients: [{ keyId: 'k', key: '' }], content: '' } };
  const body = { ...named, at, ...(code === undefined ? {} : { code }), ...(step === 'settled' ? {} : box) };
  const sealed = JSON.stringify(evidenceOf(filling, named));
  // The evidence of a question has another seal around the same call and decision.
  const sealedAs = step === 'asked' ? 'refused' : step;
  const record = recordOf(
    {
      stream: 'LEDGER',
      created,
      sequence,
      subject: `interlock.ledger.v1.${step}.${tenant}.${call}`,
      step: sealedAs,
      storedAtMs: at,
      data: new TextEncoder().encode(JSON.stringify(body)),
    },
    () => sealed,
  );
  return { ...record, step };
}

function evidenceOf(
  filling: Filling,
  named: { tenant: string; agent: string; call: string; tool: string },
): Evidence {
  const text = canonicalJson(filling.arguments ?? { amount: 12 });
  const call = { ...named, arguments: text, argumentsDigest: sha256(text) };
  return filling.decided === false ? { call } : { call, decision: decisionOf(filling, named) };
}

function decisionOf(
  { at, verdict = 'allow', policyDigest = DIGEST, input = {} }: Filling,
  { tenant, agent, tool }: { tenant: string; agent: string; tool: string },
): DecisionRecord {
  const facts: Omit<PolicyInput, 'arguments'> = {
    subject: { agent, user: 'ada', tenant, roles: ['support'], proof: 'api_key' },
    action: { name: 'execute_tool' },
    tool: { name: tool, version: DIGEST, labels: ['writes'], firstUse: false },
    facts: factsSchema.parse({}),
    session: { id: 'ses_1', labels: ['private'], openedAt: at - 60_000 },
    history: { denied: [] },
    context: {
      time: new Date(at).toISOString(),
      epochMs: at,
      local: {},
      door: 'executor',
      environment: 'test',
    },
    ...input,
  };
  return {
    verdict,
    reasons: verdict === 'deny' ? [] : [{ rule: 'allow_listed', text: 'A grant covers this call.' }],
    obligations: [],
    notes: [],
    policyDigest,
    policyVersion: 1,
    facts: recordedFactsSchema.parse(facts),
    decidedAt: at,
  };
}
