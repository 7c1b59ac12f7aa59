import {
  type Claim,
  callDigestOf,
  canonicalJson,
  type RpcRequest,
  type ServiceName,
  type Statement,
  sealContext,
  sha256,
  type Tool,
  toolSchema,
  toolVersionOf,
} from '@interlock/contracts';
import { createKey, Keyring, type SigningKey, seal, serviceKeysSchema, signStatement } from '@interlock/keys';
import type { LeaseFacts } from './lease.ts';

/** When the builders' call is claimed. */
export const CLAIMED_AT = 1_000_000;

/** Keys of the roles that take part, certified by one keyring. */
export function makeKeys() {
  const certified: ConstructorParameters<typeof Keyring>[0] = [];
  const keysOf = (service: ServiceName) => {
    const sign = createKey(service, 'sign', Number.MAX_SAFE_INTEGER);
    const box = createKey(service, 'seal', Number.MAX_SAFE_INTEGER);
    certified.push(sign.certified, box.certified);
    return serviceKeysSchema.parse({
      service,
      busSeed: 'none',
      sign: { keyId: sign.certified.keyId, privateKey: sign.privateKey },
      seal: { keyId: box.certified.keyId, privateKey: box.privateKey },
    });
  };
  const [decider, approver, broker] = [keysOf('decider'), keysOf('approver'), keysOf('broker')];
  return { decider, approver, broker, keyring: new Keyring(certified) };
}

export const tool: Tool = toolSchema.parse({
  name: 'create_post',
  description: 'Writes a post.',
  inputSchema: { type: 'object' },
  target: {
    kind: 'http',
    method: 'POST',
    url: 'https://api.example.com/blogs/{blog}/posts',
    egress: { allow: ['api.example.com'] },
  },
  credential: { name: 'blog', inject: { as: 'bearer' } },
});

const ARGUMENTS = canonicalJson({ blog: 'b1', title: 'Hello' });
const identity = { tenant: 't1', agent: 'a1', user: 'u1', session: 's1', call: 'c1' };

export function makeStatement(overrides: Partial<Statement<'decision'>> = {}): Statement<'decision'> {
  const bound = {
    ...identity,
    tool: tool.name,
    toolVersion: toolVersionOf(tool),
    argumentsDigest: sha256(ARGUMENTS),
    ...overrides,
  };
  return {
    type: 'decision',
    callDigest: callDigestOf(bound),
    verdict: 'allow',
    obligations: [],
    policyDigest: sha256('policy'),
    issuedAt: CLAIMED_AT - 100,
    notAfter: CLAIMED_AT + 30_000,
    ...bound,
  };
}

export function makeAsked(
  key: SigningKey,
  overrides: Partial<RpcRequest<'broker.lease'>> = {},
  statement = makeStatement(),
): RpcRequest<'broker.lease'> {
  return {
    tenant: 't1',
    call: 'c1',
    statement: signStatement(statement, key),
    arguments: ARGUMENTS,
    ...overrides,
  };
}

export function makeClaim(
  leaseKey: string,
  recipient: ReturnType<typeof makeKeys>,
  overrides: Partial<Claim> = {},
): Claim {
  const {
    tenant,
    agent,
    user,
    session,
    call,
    tool: name,
    toolVersion,
    argumentsDigest,
    callDigest,
  } = makeStatement();
  const keys = recipient.keyring.sealKeysOf('broker', CLAIMED_AT);
  return {
    ...{ tenant, agent, user, session, call, tool: name, toolVersion, argumentsDigest, callDigest },
    at: CLAIMED_AT,
    replyTo: 'r1',
    keepResult: false,
    executor: 'e1',
    nonce: 'n1',
    claimMs: 30_000,
    idempotent: false,
    leaseKey,
    evidence: seal('{}', keys, sealContext('evidence', call)),
    ...overrides,
  };
}

export function makeFacts(claim: Claim, overrides: Partial<LeaseFacts> = {}): LeaseFacts {
  return {
    last: { step: 'started', body: claim, sequence: 7 },
    firstClaimedAt: claim.at,
    tool,
    switches: switchesWith(),
    ...overrides,
  };
}

/** Returns a current copy of the kill switches in which these are on. */
export function switchesWith(...on: string[]): LeaseFacts['switches'] {
  const get = (key: string) => (on.includes(key) ? { on: true, by: 'ada', at: CLAIMED_AT } : undefined);
  return { current: true, get };
}
