import {
  type Call,
  callDigestOf,
  canonicalJson,
  type EventBody,
  type Json,
  type ServiceName,
  type Statement,
  sha256,
  type Tool,
  toolSchema,
  toolVersionOf,
} from '@interlock/contracts';
import {
  createKey,
  Keyring,
  type ServiceKeys,
  type SigningKey,
  serviceKeysSchema,
  signStatement,
} from '@interlock/keys';

/** Returns fresh keys for services, and the keyring that certifies them. */
export function makeKeys<N extends ServiceName>(...names: N[]) {
  const made = names.map((service) => {
    const sign = createKey(service, 'sign', Number.MAX_SAFE_INTEGER);
    const box = createKey(service, 'seal', Number.MAX_SAFE_INTEGER);
    const keys = serviceKeysSchema.parse({
      service,
      busSeed: 'unused',
      sign: { keyId: sign.certified.keyId, privateKey: sign.privateKey },
      seal: { keyId: box.certified.keyId, privateKey: box.privateKey },
    });
    return { service, keys, certified: [sign.certified, box.certified] };
  });
  const keysOf = (service: N): ServiceKeys => {
    const found = made.find((one) => one.service === service);
    if (found === undefined) throw new TypeError(`No keys were made for ${service}.`);
    return found.keys;
  };
  return { keysOf, keyring: new Keyring(made.flatMap(({ certified }) => certified)) };
}

/** Returns an HTTP tool at an origin; `target` and the rest are laid over. */
export function httpTool(
  origin: string,
  { target = {}, ...more }: Partial<Omit<Tool, 'target'>> & { target?: object } = {},
): Tool {
  return toolSchema.parse({
    name: 'create_post',
    description: 'Writes a post.',
    inputSchema: { type: 'object' },
    target: {
      kind: 'http',
      method: 'POST',
      url: `${origin}/blogs/{blog}/posts`,
      egress: { allow: [origin.replace('https://', '')], allowPrivate: ['127.0.0.1/32'], timeoutMs: 2_000 },
      ...target,
    },
    claimMs: 5_000,
    ...more,
  });
}

/** Who calls, in every builder. */
export const identity = { tenant: 't1', agent: 'a1', user: 'u1', session: 's1' };

/** Returns a call and the decision that allows it. `decision` is laid over after the digests were made. */
export function makeCall(
  tool: Tool,
  { call, args = {}, nowMs, more = {}, decision = {} }: CallSpecification,
): { call: Call; statement: Statement<'decision'> } {
  const text = canonicalJson(args);
  const bound = {
    ...identity,
    tool: tool.name,
    toolVersion: toolVersionOf(tool),
    argumentsDigest: sha256(text),
  };
  const named = { ...bound, call, callDigest: callDigestOf(bound), notAfter: nowMs + 30_000 };
  return {
    call: { ...named, arguments: text, replyTo: 'rep_1', keepResult: false, requestedAt: nowMs, ...more },
    statement: {
      type: 'decision',
      ...named,
      verdict: 'allow',
      obligations: [],
      policyDigest: sha256('policy'),
      issuedAt: nowMs,
      ...decision,
    },
  };
}

interface CallSpecification {
  call: string;
  args?: Json;
  nowMs: number;
  more?: Partial<Call>;
  decision?: Partial<Statement<'decision'>>;
}

/** Returns the body of a decided call's event. */
export function decidedBody(
  { call, statement }: ReturnType<typeof makeCall>,
  key: SigningKey,
): EventBody<'decided'> {
  const { policyDigest, issuedAt, obligations, verdict } = statement;
  return {
    call,
    decision: {
      verdict,
      reasons: [],
      obligations,
      policyDigest,
      notes: [],
      policyVersion: 1,
      facts: {},
      decidedAt: issuedAt,
    },
    statement: signStatement(statement, key),
  };
}
