import { Fault } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { readArchive } from './archive.ts';
import { buildWithOpa } from './opa.fixture.ts';
import { INPUT_MAX_BYTES, MEMORY_MAX_BYTES, Policy } from './rego.ts';

/** A few times the processor time that the steps of a decision may take. */
const LONG_MS = 3_000;

async function policyOf(rules: string): Promise<Policy> {
  const bytes = await buildWithOpa({ text: `package interlock.main\n${rules}` });
  const files = readArchive(bytes, ['/policy.wasm', '/data.json']);
  return new Policy(files['/policy.wasm'], files['/data.json']);
}

const denied = { verdict: 'deny', reasons: [], obligations: [], notes: [] };
const document = (verdict: string) =>
  `{"verdict": ${verdict}, "reasons": [], "obligations": [], "notes": []}`;

function faultOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return 'no fault';
}

describe('an answer that is not one whole decision is an error, never an allow', () => {
  test.each([
    ['undefined', `decision := ${document('"allow"')} if input.never`],
    ['a text', 'decision := "allow"'],
    ['a truth', 'decision := true'],
    ['null', 'decision := null'],
    ['an empty object', 'decision := {}'],
    ['an unknown verdict', `decision := ${document('"permit"')}`],
    ['a verdict of the wrong type', `decision := ${document('true')}`],
    [
      'one member too many',
      'decision := {"verdict": "allow", "reasons": [], "obligations": [], "notes": [], "also": 1}',
    ],
    ['one member too few', 'decision := {"verdict": "allow", "reasons": [], "obligations": []}'],
    ['a reason without a rule', 'decision := {"verdict": "allow", "reasons": ["so"], "obligations": []}'],
    ['a set of decisions', `decision contains ${document('"allow"')}`],
    [
      'two answers at once',
      `decision := ${document('"allow"')}\ndecision := ${document('"deny"')} if input.x == 1`,
    ],
  ])('%s', async (_, rules) => {
    const policy = await policyOf(rules);
    expect(faultOf(() => policy.evaluate({ x: 1 }))).toBe('policy_error');
  });
});

describe('[P-policy-bounded] what breaks one decision does not break the next', () => {
  test.each([
    ['an input deeper than the stack', () => ({ deep: nested(20_000) })],
    ['an input larger than is taken', () => ({ large: 'x'.repeat(INPUT_MAX_BYTES) })],
  ])('%s', async (_, input) => {
    const policy = await policyOf(
      `default decision := ${document('"deny"')}\ndecision := ${document('"allow"')} if input.ok == true`,
    );
    expect(faultOf(() => policy.evaluate(input()))).toBe('policy_error');
    expect(policy.evaluate({ ok: true })).toEqual({ ...denied, verdict: 'allow' });
    expect(policy.evaluate({ ok: false })).toEqual(denied);
  });

  test('a policy that would not end', async () => {
    const policy = await policyOf(`
default decision := ${document('"deny"')}
decision := ${document('"allow"')} if {
	numbers := input.many
	not [1 | some a in numbers; some b in numbers; some c in numbers; some d in numbers; a + b + c + d < 0][0]
}`);
    expect(policy.evaluate({ many: [1, 2] }).verdict).toBe('allow');
    const before = process.cpuUsage();
    expect(faultOf(() => policy.evaluate({ many: Array.from({ length: 1_000 }, () => 1) }))).toBe(
      'policy_error',
    );
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(LONG_MS);
    expect(policy.evaluate({ many: [1, 2] })).toEqual({ ...denied, verdict: 'allow' });
    expect(policy.evaluate({})).toEqual(denied);
  });

  test('a trap of the runtime', async () => {
    const policy = await policyOf(`
default decision := ${document('"deny"')}
decision := ${document('"allow"')} if input.ok
decision := ${document('"ask"')} if input.conflict`);
    // Two answers at once make the module abort.
    expect(faultOf(() => policy.evaluate({ ok: true, conflict: true }))).toBe('policy_error');
    expect(policy.evaluate({ ok: true })).toEqual({ ...denied, verdict: 'allow' });
    expect(policy.evaluate({ conflict: true })).toEqual({ ...denied, verdict: 'ask' });
  });

  test('an answer that is not well-formed', async () => {
    const policy = await policyOf(`
decision := ${document('"allow"')} if input.ok
decision := input.answer if not input.ok`);
    for (const answer of [null, 1, 'allow', [], { verdict: 'allow' }, undefined])
      expect(faultOf(() => policy.evaluate({ answer }))).toBe('policy_error');
    expect(policy.evaluate({ ok: true })).toEqual({ ...denied, verdict: 'allow' });
  });

  test('a policy that needs more memory than the limit', async () => {
    const policy = await policyOf(`
default decision := ${document('"deny"')}
decision := ${document('"allow"')} if count(numbers.range(1, input.amount)) > 0`);
    expect(faultOf(() => policy.evaluate({ amount: 50_000_000 }))).toBe('policy_error');
    expect(policy.memoryBytes).toBeLessThanOrEqual(MEMORY_MAX_BYTES);
    expect(policy.evaluate({ amount: 3 })).toEqual({ ...denied, verdict: 'allow' });
  });

  test('memory that one unusual decision needed is released', async () => {
    const policy = await policyOf(
      `default decision := ${document('"deny"')}\ndecision := ${document('"allow"')} if count(input.many) > 9`,
    );
    const before = policy.memoryBytes;
    expect(policy.evaluate({ many: Array.from({ length: 60_000 }, () => ({})) }).verdict).toBe('allow');
    expect(policy.evaluate({ many: [] })).toEqual(denied);
    expect(policy.memoryBytes).toBe(before);
  });

  test('empty inputs are denied by default', async () => {
    const policy = await policyOf(
      `default decision := ${document('"deny"')}\ndecision := ${document('"allow"')} if input.ok == true`,
    );
    expect(policy.evaluate({})).toEqual(denied);
    expect(policy.evaluate([])).toEqual(denied);
    expect(policy.evaluate({ ok: null })).toEqual(denied);
  });
});

describe('a module that cannot be trusted to answer is not loaded', () => {
  const json = new TextEncoder().encode('{}');

  test('bytes that are not a module', () => {
    expect(faultOf(() => new Policy(Uint8Array.of(1, 2, 3), json))).toBe('configuration_invalid');
  });

  test.each([
    ['a clock', 'time.now_ns() > input.since'],
    ['the network', 'http.send({"method": "GET", "url": input.url}).status_code == 200'],
    ['a pattern without a bound on time', 'count(regex.split(input.pattern, input.text)) > 1'],
  ])('a rule that needs %s', async (_, condition) => {
    await expect(policyOf(`decision := ${document('"allow"')} if ${condition}`)).rejects.toMatchObject({
      code: 'configuration_invalid',
    });
  });

  test('a module whose start never ends', () => {
    // `(module (func $loop (loop (br 0))) (start $loop))`
    const looping = Uint8Array.from([
      ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02],
      ...[0x01, 0x00, 0x08, 0x01, 0x00, 0x0a, 0x09, 0x01, 0x07, 0x00, 0x03, 0x40, 0x0c, 0x00, 0x0b, 0x0b],
    ]);
    expect(faultOf(() => new Policy(looping, json))).toBe('configuration_invalid');
  });

  test('a module without an explanation', async () => {
    const bytes = await buildWithOpa({
      text: `package interlock.main\ndecision := ${document('"deny"')}`,
      entrypoints: ['interlock/main/decision'],
    });
    const files = readArchive(bytes, ['/policy.wasm', '/data.json']);
    expect(faultOf(() => new Policy(files['/policy.wasm'], files['/data.json']))).toBe(
      'configuration_invalid',
    );
  });

  test('data that is not JSON', async () => {
    const bytes = await buildWithOpa({
      text: `package interlock.main\ndecision := ${document('"deny"')}`,
    });
    const files = readArchive(bytes, ['/policy.wasm', '/data.json']);
    const broken = new TextEncoder().encode('{"config":');
    expect(faultOf(() => new Policy(files['/policy.wasm'], broken))).toBe('configuration_invalid');
  });
});

describe('an explanation', () => {
  const said = '{"deny": [], "ask": [{"rule": "r", "text": "t"}], "allow": [], "notes": []}';

  test.each([
    ['undefined', `explanation := ${said} if input.never`],
    ['of another shape', 'explanation := {"deny": []}'],
    ['a list', `explanation := [${said}]`],
  ])('that is %s is an error', async (_, rule) => {
    const policy = await policyOf(`decision := ${document('"deny"')}\n${rule}`);
    expect(faultOf(() => policy.explain({}))).toBe('policy_error');
    expect(policy.evaluate({})).toEqual(denied);
  });

  test('has every output of every rule', async () => {
    const policy = await policyOf(`decision := ${document('"deny"')}\nexplanation := ${said} if input.ok`);
    expect(policy.explain({ ok: true })).toEqual({
      deny: [],
      ask: [{ rule: 'r', text: 't' }],
      allow: [],
      notes: [],
      until: [],
      offers: [],
      withholds: [],
    });
  });
});

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level += 1) value = [value];
  return value;
}
