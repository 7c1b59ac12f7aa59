import { type Json, type PolicyInput, policyInputSchema, sha256 } from '@interlock/contracts';
import { buildBundle, policyWith } from '@interlock/policy';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { grantsFor } from './grants.ts';
import { opaProgram } from './opa.ts';
import { BASE_POLICIES } from './policy-folders.ts';

fc.configureGlobal({ seed: 20_261_121 });
const BUILD_MS = 60_000;

let bundle: Uint8Array;
beforeAll(async () => {
  const { signal } = new AbortController();
  bundle = await buildBundle({ opaBin: opaProgram(), folders: [BASE_POLICIES], signal });
}, BUILD_MS);

type Given = Record<string, Json>;

function call(
  argumentsValue: Given,
  { tool = 'pay', agent = 'clerk', facts = {} }: object & Partial<Call> = {},
) {
  return policyInputSchema.parse({
    subject: { agent, user: 'ada', tenant: 'acme', roles: [], proof: 'api_key' },
    action: { name: 'execute_tool' },
    tool: { name: tool, version: sha256(tool), labels: [], firstUse: false },
    arguments: argumentsValue,
    facts,
    session: { id: 's', labels: [], openedAt: 0 },
    history: { denied: [] },
    context: { time: '2026-01-14T10:00:00Z', epochMs: 0, local: {}, door: 'executor', environment: 'local' },
  });
}
interface Call {
  tool: string;
  agent: string;
  facts: object;
}

function whereOf(...inputs: PolicyInput[]) {
  return grantsFor(inputs).map(({ grant }) => grant.where);
}

/** The verdicts of the compiled rules about calls, with only the grants suggested for some calls in their data. */
function verdicts(from: readonly PolicyInput[], of: readonly PolicyInput[]): string[] {
  const grants = grantsFor(from).map(({ grant }) => grant);
  const policy = policyWith(bundle, () => ({ config: { allow_listed: JSON.parse(JSON.stringify(grants)) } }));
  return of.map((input) => policy.evaluate(input).verdict);
}

describe('[P-policy-suggest] the narrowest grants for recorded calls', () => {
  test('refuse another agent, another tool, another argument and another value', () => {
    const from = [call({ payee: 'ACME', amount: 10 }), call({ payee: 'ACME', amount: 30 })];
    const others = [
      call({ payee: 'ACME', amount: 10 }, { agent: 'guest' }),
      call({ payee: 'ACME', amount: 10 }, { tool: 'refund' }),
      call({ payee: 'ACME', amount: 10, note: 'x' }),
      call({ payee: 'Mallory', amount: 10 }),
      call({ payee: 'ACME', amount: 20 }),
      call({ amount: 10 }),
      call({ payee: null, amount: 10 }),
    ];
    expect(verdicts(from, others)).toEqual(others.map(() => 'deny'));
    expect(verdicts(from, from)).toEqual(['allow', 'allow']);
  });

  test('refuse amounts, folders and domains beyond those seen, once there are too many values to list', () => {
    const paid = [1, 2, 3, 4, 5, 6].map((amount) => call({ amount }));
    expect(verdicts(paid, [call({ amount: 4.5 }), call({ amount: 7 }), call({ amount: '3' })])).toEqual([
      'allow',
      'deny',
      'deny',
    ]);
    const read = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => call({ file: `/reports/2026/${name}.txt` }));
    expect(whereOf(...read)).toEqual([
      [
        { at: '', only: ['file'] },
        { at: '/file', prefix: '/reports/2026/' },
      ],
    ]);
    const others = ['/reports/2025/a.txt', '/reports/2026/../x', '/etc/passwd'].map((file) => call({ file }));
    expect(verdicts(read, others)).toEqual(['deny', 'deny', 'deny']);
  });

  test('limit recipients to the domains that a parser read', () => {
    const to = (local: string, domain = 'example.com') => {
      const address = `${local}@${domain}`;
      return call(
        { to: address },
        { facts: { recipients: [{ at: '/to', readable: true, address, local, domain }] } },
      );
    };
    const sent = ['a', 'b', 'c', 'd', 'e', 'f'].map((local) => to(local));
    expect(whereOf(...sent)[0]).toContainEqual({ at: '/to', domain_of: ['example.com'] });
    expect(verdicts(sent, [to('new'), to('new', 'evil.example')])).toEqual(['allow', 'deny']);
  });

  test('list the arguments that they leave free: values without a common condition', () => {
    const texts = ['one', 'two', 'three', 'four', 'five', 'six'].map((text) => call({ text }));
    expect(grantsFor(texts)).toMatchObject([{ calls: 6, free: ['/text'], grant: { tools: ['pay'] } }]);
  });

  test('are one for each agent and tool, the most used first', () => {
    const found = grantsFor([call({}), call({}, { tool: 'read' }), call({}, { tool: 'read' })]);
    expect(found.map(({ grant, calls }) => [grant.tools[0], calls])).toEqual([
      ['read', 2],
      ['pay', 1],
    ]);
  });

  test('allow every call that they were made from, whatever its arguments', () => {
    const leaf = fc.oneof(
      fc.constantFrom('a', 'b', '/x/1', '/x/2', '/x/3', '/y', 'a..b', ''),
      fc.integer({ min: -3, max: 9 }),
      fc.boolean(),
      fc.constant(null),
    );
    const value: fc.Arbitrary<Json> = fc.oneof(
      leaf,
      fc.array(leaf, { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('p', 'q~/r'), leaf, { maxKeys: 2 }),
    );
    const argumentsValue = fc.dictionary(fc.constantFrom('k', 'l', 'm'), value, { maxKeys: 3 });
    fc.assert(
      fc.property(fc.array(argumentsValue, { minLength: 1, maxLength: 9 }), (all) => {
        const inputs = all.map((one) => call(one));
        expect(verdicts(inputs, inputs)).toEqual(inputs.map(() => 'allow'));
      }),
      { numRuns: 60 },
    );
  });
});
