/** Builds what the approver's tests are about: a held call, and keys for everybody who signs or reads it. */
import {
  type Call,
  callDigestOf,
  type EventBody,
  newId,
  type ServiceName,
  type Statement,
  sha256,
} from '@interlock/contracts';
import { createKey, Keyring, type ServiceKeys, serviceKeysSchema, signStatement } from '@interlock/keys';

export const NOW_MS = 1_800_000_000_000;

const signers = ['decider', 'console', 'approver', 'auditor', 'ingress'] as const satisfies ServiceName[];
const made = signers.map((service) => {
  const [sign, box] = [createKey(service, 'sign', NOW_MS * 2), createKey(service, 'seal', NOW_MS * 2)];
  const keys = serviceKeysSchema.parse({
    service,
    busSeed: 'unused',
    sign: { keyId: sign.certified.keyId, privateKey: sign.privateKey },
    seal: { keyId: box.certified.keyId, privateKey: box.privateKey },
  });
  return { service, keys, certified: [sign.certified, box.certified] };
});

export const keyring = new Keyring(made.flatMap(({ certified }) => certified));

/** A keyring in which one service holds no key. */
export function keyringWithout(service: ServiceName): Keyring {
  return new Keyring(made.filter((one) => one.service !== service).flatMap(({ certified }) => certified));
}

/** Returns a service's own keys. */
export function keysOf(service: (typeof signers)[number]): ServiceKeys {
  const found = made.find((one) => one.service === service);
  if (found === undefined) throw new Error('Keys were made for every service named above.');
  return found.keys;
}

/** Returns a held event and its decision, signed by the decider unless told otherwise. */
export function heldEvent(
  statement: Partial<Statement<'decision'>> = {},
  signedBy: (typeof signers)[number] = 'decider',
): { event: EventBody<'held'>; decision: Statement<'decision'> } {
  const call = callOf();
  const { tenant, agent, user, session, tool, toolVersion, argumentsDigest, callDigest } = call;
  const policyDigest = sha256('policy');
  const decision: Statement<'decision'> = {
    type: 'decision',
    ...{ tenant, agent, user, session, call: call.call },
    ...{ tool, toolVersion, argumentsDigest, callDigest },
    verdict: 'ask',
    obligations: [],
    policyDigest,
    issuedAt: NOW_MS,
    notAfter: call.notAfter,
    ...statement,
  };
  const record = {
    verdict: 'ask' as const,
    reasons: [{ rule: 'payments', text: 'Payments are looked at.' }],
    obligations: [],
    policyDigest,
    notes: [],
    policyVersion: 1,
    facts: {},
    decidedAt: NOW_MS,
  };
  const signed = signStatement(decision, keysOf(signedBy).sign);
  return { event: { call, decision: record, statement: signed }, decision };
}

function callOf(): Call {
  const text = '{"amount":5}';
  const call = {
    ...{ tenant: 't', agent: 'a', user: 'ursula', session: 's', call: newId('call') },
    tool: 'pay',
    toolVersion: sha256('tool'),
    arguments: text,
    argumentsDigest: sha256(text),
    replyTo: 'ingress',
    keepResult: false,
    requestedAt: NOW_MS,
    notAfter: NOW_MS + 30_000,
  };
  return { ...call, callDigest: callDigestOf(call) };
}
