import { factsSchema, type PolicyInput, sha256 } from '@interlock/contracts';
import { type LoadedPolicy, openBundle } from '@interlock/policy';
import { buildPolicy } from '@interlock/testkit';
import { beforeAll, expect, test } from 'vitest';
import { agent, callOf, session, toolOf } from './decision.fixture.ts';
import { policyInput } from './facts.ts';
import { Shadow } from './shadow.ts';

const tool = toolOf('read_order');
const input: PolicyInput = policyInput(
  {
    ...{
      call: callOf(tool),
      arguments: { many: 90_000_000 },
      tool,
      agent,
      session,
      local: {},
      environment: 'test',
    },
    parsed: factsSchema.parse({}),
  },
  0,
);

let strict: LoadedPolicy;
let failing: LoadedPolicy;

async function opened(rules: Record<string, string>): Promise<LoadedPolicy> {
  const bytes = await buildPolicy({ rules });
  return openBundle({ version: 7, digest: sha256(bytes), bytes: bytes.byteLength }, bytes);
}

beforeAll(async () => {
  // More memory than there is; the canaries do not name how many.
  const allNumbers = 'allow contains "So many." if count(numbers.range(1, input.arguments.many)) > 0';
  [strict, failing] = await Promise.all([opened({}), opened({ slow: allNumbers })]);
});

test('[P-policy-shadow] a candidate that agrees, or that does not exist, makes no disagreement', () => {
  const clock = { monotonicMs: () => 0 };
  expect(new Shadow(() => strict, clock).ask(input, 'deny')).toBeUndefined();
  expect(new Shadow(() => undefined, clock).ask(input, 'allow')).toBeUndefined();
  expect(new Shadow(() => strict, clock).ask(input, 'allow')).toEqual({
    policyDigest: strict.digest,
    policyVersion: 7,
    verdict: 'deny',
    reasons: [],
  });
});

test('[P-policy-shadow] a candidate that fails disagrees with everything, and is not asked for a while after five failures', () => {
  let nowMs = 0;
  const shadow = new Shadow(() => failing, { monotonicMs: () => nowMs });
  const error = { policyDigest: failing.digest, policyVersion: 7, verdict: 'error', reasons: [] };
  for (let times = 0; times < 5; times += 1) expect(shadow.ask(input, 'deny')).toEqual(error);
  expect(shadow.ask(input, 'deny')).toBeUndefined();
  nowMs += 10_000;
  expect(shadow.ask(input, 'deny')).toEqual(error);
  expect(shadow.ask(input, 'deny')).toBeUndefined();
});
