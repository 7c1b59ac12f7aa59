/**
 * How executor and broker treat invalid decisions. The tests publish with the limiter's account, as an intruder in the
 * limiter could, and sign with the key that a case names.
 */
import type { Bus } from '@interlock/bus';
import {
  type Call,
  type EventBody,
  Fault,
  type RpcRequest,
  type ServiceName,
  services,
  sha256,
  toolVersionOf,
} from '@interlock/contracts';
import { createKey, type SigningKey } from '@interlock/keys';
import { eventually, makeClaim } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callOf, forgeries, own, POLICY_DIGEST, type Stolen } from './forgeries.ts';
import { joinBus, keyringOf, keysOf } from './inside.ts';
import { type Line, startLine } from './line.ts';

const START_MS = 100_000;
/** One after the other, they take some tenth of the second within which the switch takes effect. */
const PASSING_MAX = 10;

let line: Line;
let limiter: Bus;
let executor: Bus;
let stolen: Stolen;
beforeAll(async () => {
  line = await startLine();
  limiter = await joinBus(line.interlock, 'limiter');
  executor = await joinBus(line.interlock, 'executor');
  const keys = new Map<ServiceName, SigningKey>();
  for (const service of services) keys.set(service, (await keysOf(line.interlock, service)).sign);
  const tool = (await executor.entries('tools').get('write'))?.value ?? expect.unreachable();
  stolen = {
    toolVersion: toolVersionOf(tool),
    keyOf: (service) => keys.get(service) ?? expect.unreachable(),
  };
}, START_MS);
afterAll(async () => {
  await limiter?.[Symbol.asyncDispose]();
  await executor?.[Symbol.asyncDispose]();
  await line?.[Symbol.asyncDispose]();
}, START_MS);

/** Publishes as the limiter that a call is admitted, with any statement. */
async function admit(
  call: Call,
  statement: string,
  { tenant, call: id }: Pick<Call, 'tenant' | 'call'> = call,
) {
  const body: EventBody<'admitted'> = {
    ...{ call, statement, charges: [] },
    decision: {
      ...{ verdict: 'allow', reasons: [], obligations: [], notes: [], policyVersion: 1, facts: {} },
      ...{ policyDigest: POLICY_DIGEST, decidedAt: Date.now() },
    },
  };
  await limiter.publish('admitted', { tenant, call: id }, body, 'any');
}

describe('the executor', () => {
  test('[P-statements-exact-call] carries out what the decider allowed, once, however often it is replayed', async () => {
    const call = callOf(stolen);
    for (let times = 0; times < 3; times += 1) await admit(call, own(call, stolen));
    const settled = await eventually(() => executor.readStep('settled', 'acme', call.call));
    expect(settled.body.outcome).toBe('succeeded');
    await admit(call, own(call, stolen));
    const last = callOf(stolen);
    await admit(last, own(last, stolen));
    await eventually(() => executor.readStep('settled', 'acme', last.call));
    expect(line.upstream.effects.get(call.call)).toBe(1);
  });

  test.each(forgeries)(
    '[P-statements-exact-call] [P-statements-role-bound] refuses a decision %s',
    async (_name, code, forge) => {
      const call = callOf(stolen);
      await admit(call, forge(call, stolen));
      const refused = await eventually(() => executor.readStep('refused', 'acme', call.call));
      expect(refused.body).toMatchObject({ by: 'executor', code });
      expect(await executor.readStep('started', 'acme', call.call)).toBeUndefined();
      expect(line.upstream.effects.get(call.call)).toBeUndefined();
    },
  );

  test('[P-statements-exact-call] refuses a genuine decision that comes under the name of another call', async () => {
    const [genuine, other] = [callOf(stolen), callOf(stolen)];
    await admit(genuine, own(genuine, stolen), other);
    const refused = await eventually(() => executor.readStep('refused', 'acme', other.call));
    expect(refused.body.code).toBe('statement_invalid');
    expect(line.upstream.effects.get(genuine.call)).toBeUndefined();
  });
});

describe('the broker', () => {
  /** Claims a call as an executor does; `changes` falsify the claim. */
  async function claim(call: Call, changes: Partial<EventBody<'started'>> = {}): Promise<void> {
    const leaseKey = createKey('executor', 'seal', Date.now() + 60_000).certified.publicKey;
    const keyring = await keyringOf(line.interlock);
    const claimed = await executor.claim('started', makeClaim(call, keyring, { leaseKey, ...changes }), 0);
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

  const askedOf = (call: Call, statement = own(call, stolen)) => ({
    ...{ tenant: call.tenant, call: call.call, statement, arguments: call.arguments },
  });

  test('[P-broker-lease] leases for a claimed call, and for none that is not claimed', async () => {
    const call = callOf(stolen);
    expect(await lease(askedOf(call))).toBe('lease_refused');
    await claim(call);
    expect(await lease(askedOf(call))).toBe('leased');
  });

  test.each(forgeries)(
    '[P-statements-exact-call] [P-broker-lease] refuses a decision %s',
    async (_name, _code, forge) => {
      const call = callOf(stolen);
      await claim(call);
      expect(await lease(askedOf(call, forge(call, stolen)))).toMatch(
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
    const call = callOf(stolen);
    await claim(call, changes);
    expect(await lease(askedOf(call))).toBe('lease_refused');
  });

  test('[P-kill-within-a-second] refuses a genuine decision once the switch was acknowledged, and so does the executor, before ten got through', async () => {
    const claimed = callOf(stolen);
    await claim(claimed);
    expect(await lease(askedOf(claimed))).toBe('leased');
    const kill = { target: { kind: 'tenant', tenant: 'acme' } };
    await line.person('alice').post('/v1/kill', { ...kill, on: true });
    expect(await passedUntilKilled(() => lease(askedOf(claimed)))).toBeLessThan(PASSING_MAX);
    expect(await passedUntilKilled(() => fateOf(callOf(stolen)))).toBeLessThan(PASSING_MAX);
    // Both have it: nothing begins any more, however many come at once past the limiter.
    const before = line.upstream.requests.length;
    const calls = Array.from({ length: 20 }, () => callOf(stolen));
    expect(new Set(await Promise.all(calls.map(fateOf)))).toEqual(new Set(['killed']));
    for (const { call } of calls) expect(await executor.readStep('started', 'acme', call)).toBeUndefined();
    expect(line.upstream.requests).toHaveLength(before);
    await line.person('alice').post('/v1/kill', { ...kill, on: false });
    await eventually(async () => (await lease(askedOf(claimed))) === 'leased');
  });

  /** Sends a call past the limiter, and returns its outcome, or the code with which the executor refused it. */
  async function fateOf(call: Call): Promise<string> {
    await admit(call, own(call, stolen));
    return await eventually(async () => {
      const last = await executor.readCall('acme', call.call);
      if (last?.step === 'refused' && last.body.by === 'executor') return last.body.code;
      return last?.step === 'settled' && (last.body.code ?? last.body.outcome);
    });
  }

  /** Returns how many attempts were not answered with `killed` before the first one that was. */
  async function passedUntilKilled(attempt: () => Promise<string>): Promise<number> {
    let passed = 0;
    while (passed < PASSING_MAX && (await attempt()) !== 'killed') passed += 1;
    return passed;
  }
});
