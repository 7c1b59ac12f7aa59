import type { Delivery } from '@interlock/bus';
import {
  type AgentEntry,
  type Call,
  callDigestOf,
  canonicalJson,
  type EventBody,
  Fault,
  type HeldCall,
  type Json,
  type ServiceName,
  type Session,
  type Statement,
  sealContext,
  sha256,
  type Tool,
  toolVersionOf,
} from '@interlock/contracts';
import {
  createKey,
  Keyring,
  type ServiceKeys,
  seal,
  serviceKeysSchema,
  signStatement,
} from '@interlock/keys';
import type { HeldPolicy } from '@interlock/policy';
import { createFactReader } from './facts/read.ts';
import type { Desk } from './steps.ts';

export const nowMs = Date.UTC(2026, 0, 1);
const KEY_LIFE_MS = 3_600_000;

export const agent: AgentEntry = {
  tenant: 'acme',
  agent: 'clerk',
  user: 'ada',
  roles: ['support'],
  session: 'desk',
  keys: [],
  caps: { ratePerSecond: 50, burst: 100, inFlight: 32 },
};

export const session: Session = {
  tenant: 'acme',
  session: 'desk',
  agent: 'clerk',
  user: 'ada',
  openedAt: nowMs - 1_000,
  labels: [],
  used: { tools: [], destinations: [] },
  denied: [],
};

/** Returns a tool; only its name and what policy sees of it matter here. */
export function toolOf(name: string, more: Partial<Tool> = {}): Tool {
  return {
    name,
    description: 'A tool.',
    labels: [],
    inputSchema: { type: 'object' },
    target: {
      kind: 'http',
      method: 'POST',
      url: 'https://api.example.com/things',
      headers: {},
      query: {},
      body: 'all',
      egress: {
        allow: ['api.example.com'],
        redirects: 0,
        allowPrivate: [],
        timeoutMs: 1_000,
        maxResponseBytes: 1_024,
      },
    },
    idempotent: false,
    parse: [],
    claimMs: 1_000,
    ...more,
  };
}

/** Returns a call to a tool whose digests hold; `more` is laid over it after the digests were made. */
export function callOf(tool: Tool, argument: Json = {}, more: Partial<Call> = {}): Call {
  const text = canonicalJson(argument);
  const named = {
    tenant: 'acme',
    agent: 'clerk',
    user: 'ada',
    session: 'desk',
    tool: tool.name,
    toolVersion: toolVersionOf(tool),
    argumentsDigest: sha256(text),
  };
  return {
    ...named,
    call: 'call_1',
    arguments: text,
    callDigest: callDigestOf(named),
    replyTo: 'rep_1',
    keepResult: false,
    requestedAt: nowMs,
    notAfter: nowMs + 30_000,
    ...more,
  };
}

/** Returns fresh keys for services, and the keyring that certifies them. */
export function makeKeys<N extends ServiceName>(
  ...names: N[]
): { keyring: Keyring; keys: Record<N, ServiceKeys> } {
  const made = names.map((name) => {
    const sign = createKey(name, 'sign', nowMs + KEY_LIFE_MS);
    const box = createKey(name, 'seal', nowMs + KEY_LIFE_MS);
    const keys = serviceKeysSchema.parse({
      service: name,
      busSeed: 'unused',
      sign: { keyId: sign.certified.keyId, privateKey: sign.privateKey },
      seal: { keyId: box.certified.keyId, privateKey: box.privateKey },
    });
    return { name, keys, certified: [sign.certified, box.certified] };
  });
  const keys = Object.fromEntries(made.map((one) => [one.name, one.keys])) as Record<N, ServiceKeys>;
  return { keyring: new Keyring(made.flatMap(({ certified }) => certified)), keys };
}

const facts = createFactReader();

/** Returns a desk where everything is in order for the agent and one tool. */
export function deskOf(
  house: { keyring: Keyring; keys: Record<'decider', ServiceKeys> },
  tool: Tool,
  policy: HeldPolicy | undefined,
): Desk {
  return {
    authority: { keys: house.keys.decider, keyring: house.keyring },
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
    announce: () => undefined,
    environment: 'test',
    nowMs: () => nowMs,
  };
}

/** Returns a `resolved` event about a held call as the approver makes it; `more` is laid over the resolution. */
export function resolvedEvent(
  house: { keyring: Keyring; keys: Record<'approver', ServiceKeys> },
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
    statement: signStatement(resolution, house.keys.approver.sign),
    sealed: seal(JSON.stringify(held), house.keyring.sealKeysOf('decider', nowMs), sealContext('held', call)),
  };
}

/** Returns a requested call as it is delivered; `address` is laid over where it says it stands. */
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
