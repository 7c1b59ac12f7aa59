import type { Delivery } from '@interlock/bus';
import {
  type AgentEntry,
  type Call,
  type EventBody,
  Fault,
  type HeldCall,
  type Json,
  type Session,
  type Statement,
  sealContext,
  sha256,
  type Tool,
} from '@interlock/contracts';
import { createFactReader } from '@interlock/facts';
import { seal, signStatement } from '@interlock/keys';
import type { LoadedPolicy } from '@interlock/policy';
import { caller, makeCall, makeTool, type TestKeys } from '@interlock/testkit';
import type { DecisionContext } from './context.ts';

export const nowMs = Date.UTC(2026, 0, 1);

export const agent: AgentEntry = {
  tenant: 'acme',
  agent: 'clerk',
  user: 'ada',
  roles: ['support'],
  session: caller.session,
  keys: [],
  caps: { ratePerSecond: 50, burst: 100, inFlight: 32 },
};

export const session: Session = {
  tenant: 'acme',
  session: caller.session,
  agent: 'clerk',
  user: 'ada',
  openedAt: nowMs - 1_000,
  labels: [],
  used: { tools: [], destinations: [] },
  denied: [],
};

/** Returns a tool; only its name and what policy sees of it matter here. */
export function toolOf(name: string, more: Partial<Omit<Tool, 'target'>> & { target?: object } = {}): Tool {
  const target = { url: 'https://api.example.com/things' };
  return makeTool({ name, description: 'A tool.', target, ...more });
}

/** Returns a call to a tool whose digests hold; `more` is laid over it after the digests were made. */
export function callOf(tool: Tool, args: Json = {}, more: Partial<Call> = {}): Call {
  return { ...makeCall({ call: 'call_1', tool, args, nowMs }), ...more };
}

const facts = createFactReader();

/** Returns a context in which the agent may call one tool, as far as all but policy is concerned. */
export function contextOf(
  { keyring, keysOf }: Pick<TestKeys, 'keyring' | 'keysOf'>,
  tool: Tool,
  policy: LoadedPolicy | undefined,
): DecisionContext {
  return {
    authority: { keys: keysOf('decider'), keyring },
    policies: {
      inForce: async () => {
        if (policy === undefined) throw new Fault('policy_missing');
        return policy;
      },
      candidate: undefined,
    },
    shadow: { ask: () => undefined },
    sessions: { of: async () => session, use: async () => undefined, deny: async () => undefined },
    agentOf: async () => agent,
    toolOf: async () => tool,
    parse: facts.read,
    emergencyOf: () => undefined,
    reportEmergency: () => undefined,
    environment: 'test',
    nowMs: () => nowMs,
  };
}

/** Returns a `resolved` event about a held call as the approver makes it; `more` is laid over the resolution. */
export function resolvedEvent(
  { keyring, keysOf }: Pick<TestKeys, 'keyring' | 'keysOf'>,
  held: HeldCall,
  { nobody = false, ...more }: Partial<Statement<'resolution'>> & { nobody?: boolean } = {},
): EventBody<'resolved'> {
  const { tenant, call, callDigest } = held.call;
  const resolution: Statement<'resolution'> = {
    type: 'resolution',
    tenant,
    call,
    callDigest,
    questionDigest: sha256('question'),
    resolution: 'approved',
    ...(nobody ? {} : { person: 'bob' }),
    issuedAt: nowMs - 1_000,
    notAfter: nowMs + 59_000,
    ...more,
  };
  return {
    tenant,
    call,
    statement: signStatement(resolution, keysOf('approver').sign),
    sealed: seal(JSON.stringify(held), keyring.sealKeysOf('decider', nowMs), sealContext('held', call)),
  };
}

/** Returns a requested call as it is delivered; `address` is laid over its address. */
export function requested(
  call: Call,
  address: Partial<Delivery<'requested'>['address']> = {},
): Delivery<'requested'> {
  return {
    step: 'requested',
    event: { call },
    address: { tenant: call.tenant, call: call.call, ...address },
    sequence: 1,
    deliveries: 1,
    acknowledge: () => undefined,
  };
}

/** Returns the resolution of a question as it is delivered. */
export function resolved(event: EventBody<'resolved'>): Delivery<'resolved'> {
  const address = { tenant: 'acme', call: 'call_1' } as const;
  return { step: 'resolved', event, address, sequence: 9, deliveries: 1, acknowledge: () => undefined };
}
