/** What an author learns from recorded traffic: which verdicts a candidate changes, how it agrees with labels, what to grant. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { runCommand, runPolicy } from './command.ts';
import { type Line, startLine } from './line.ts';

const START_MS = 100_000;
const TEST_MS = 60_000;

/** Calls by what became of them. */
interface Traffic {
  read: string;
  wrote: string;
  asked: string;
  refused: string[];
}

let line: Line;
let traffic: Traffic;
beforeAll(async () => {
  // `bare` and `idem` are granted to nobody.
  line = await startLine({
    policyData: { allow_listed: [{ tenants: ['acme'], tools: ['read', 'write', 'ask'] }] },
  });
  traffic = await makeTraffic();
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

async function makeTraffic(): Promise<Traffic> {
  const read = await line.call('read', { id: 7 });
  const wrote = await line.call('write', { text: 'a long text that should not leave' });
  const held = await line.call('ask', { text: 'please' });
  await line.person('bob').answer(held.body.call ?? '', 'approve');
  const asked = await line.getCall(held.body.call ?? '', { waitSeconds: 20 });
  const refused = [await line.call('bare', { text: 'one' }), await line.call('bare', { text: 'two' })];
  expect([read, wrote, asked].map(({ body }) => body.outcome)).toEqual(Array(3).fill('succeeded'));
  expect(refused.map(({ body }) => body.code)).toEqual(Array(2).fill('policy_default'));
  const calls = [read, wrote, asked, ...refused].map(({ body }) => z.string().parse(body.call));
  const [first = '', second = '', third = '', ...others] = calls;
  await eventually(async () => (await recorded()) === calls.length);
  return { read: first, wrote: second, asked: third, refused: others };
}

/** How many calls the audit has that can be replayed. */
async function recorded(): Promise<number> {
  const { text } = await line.person('alice').get('/v1/replay?since=0&until=99999999999999');
  return text.trim().split('\n').length - 1;
}

/** Writes a folder of policies: the line's own data, and a rule. */
async function candidate(name: string, rule: string): Promise<string> {
  const folder = path.join(line.config, '..', name);
  await mkdir(path.join(folder, 'rules', name), { recursive: true });
  await writeFile(
    path.join(folder, 'rules', name, `${name}.rego`),
    `package interlock.rules.${name}\n\n${rule}\n`,
  );
  const config = { allow_listed: [{ tenants: ['acme'], tools: ['read', 'write', 'ask', 'bare'] }] };
  await writeFile(path.join(folder, 'data.yaml'), JSON.stringify({ config }));
  return folder;
}

const countsSchema = z.looseObject({ calls: z.int(), changed: z.int(), wider: z.int(), narrower: z.int() });

describe('[P-policy-simulate] a candidate compared with recorded calls', () => {
  test(
    'changes the verdicts it would have changed, by rule and tool, and the exit code is 1',
    async () => {
      const folder = await candidate(
        'long_texts',
        'deny contains "Too long." if count(input.arguments.text) > 20',
      );
      const { code, result } = await runPolicy(line, 'simulate', '--candidate', folder);
      expect(code).toBe(1);
      expect(countsSchema.parse(result)).toMatchObject({ calls: 5, changed: 3, wider: 2, narrower: 1 });
      const { changes } = z.object({ changes: z.array(z.looseObject({ tool: z.string() })) }).parse(result);
      expect(changes).toHaveLength(2);
      expect(changes).toEqual(
        expect.arrayContaining([
          expect.objectContaining({
            tool: 'bare',
            from: 'deny',
            to: 'allow',
            rulesNow: ['allow_listed'],
            calls: 2,
          }),
          expect.objectContaining({
            ...{ tool: 'write', from: 'allow', to: 'deny', rulesNow: ['long_texts'], calls: 1 },
            examples: [expect.objectContaining({ call: traffic.wrote, tenant: 'acme', agent: 'helper' })],
          }),
        ]),
      );
      expect((await runPolicy(line, 'simulate', '--candidate', folder, '--fail-on', 'never')).code).toBe(0);
    },
    TEST_MS,
  );

  test(
    'that is the policy in force changes nothing, and says the same of every call as it did then',
    async () => {
      const { code, result } = await runPolicy(
        line,
        ...['simulate', '--candidate', path.join(line.config, 'policies'), '--base', 'current'],
      );
      expect(code).toBe(0);
      expect(result).toMatchObject({ calls: 5, changed: 0, repeated: { calls: 5, different: 0 } });
    },
    TEST_MS,
  );

  test(
    'is measured by the labels of people: calls it would allow though they are labelled bad, or stop though they are labelled good',
    async () => {
      const [bad = '', good = ''] = traffic.refused;
      expect(await runPolicy(line, 'label', bad, 'bad', '--note', 'nobody asked for it')).toMatchObject({
        code: 0,
      });
      expect(await runPolicy(line, 'label', good, 'good')).toMatchObject({ code: 0 });
      expect(await runPolicy(line, 'label', traffic.asked, 'good')).toMatchObject({ code: 0 });
      expect(await runPolicy(line, 'label', 'c_nothing', 'good')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('call_unknown'),
      });
      expect(await runPolicy(line, 'label', '--list')).toMatchObject({
        result: {
          labels: [{ call: bad, label: 'bad', by: 'alice' }, { call: good }, { call: traffic.asked }],
        },
      });
      const folder = await candidate('nothing', 'deny contains "Never." if input.tool.name == "never"');
      const { code, result } = await runPolicy(
        line,
        'simulate',
        '--candidate',
        folder,
        '--fail-on',
        'false-allows',
      );
      expect(code).toBe(1);
      expect(result).toMatchObject({
        labels: {
          base: { judged: 3, agree: 1, falseAllows: 0, falseDenials: { denied: 1, asked: 1 } },
          candidate: { judged: 3, agree: 1, falseAllows: 1, falseDenials: { denied: 0, asked: 1 } },
          falselyAllowed: [{ call: bad }],
        },
      });
    },
    TEST_MS,
  );
});

test(
  '[P-policy-suggest] what nobody granted is suggested as narrowly as it was called, without what a person labelled bad',
  async () => {
    const { code, result } = await runPolicy(line, 'suggest');
    expect(code).toBe(0);
    expect(result).toMatchObject({
      wanted: 1,
      becomes: { allow: 1, ask: 0, deny: 0, error: 0 },
      others: { calls: 4, wider: 0 },
      grants: [
        {
          calls: 1,
          free: [],
          grant: {
            ...{ tenants: ['acme'], agents: ['helper'], tools: ['bare'] },
            where: [
              { at: '', only: ['text'] },
              { at: '/text', equals: 'two' },
            ],
          },
        },
      ],
    });
  },
  TEST_MS,
);

test(
  '[P-policy-explain] a recorded call is explained by the policy that decided it, with the grant or the approval that would have allowed it',
  async () => {
    expect(await runPolicy(line, 'explain', 'c_nothing')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('call_unknown'),
    });
    const [refused = ''] = traffic.refused;
    expect(await runPolicy(line, 'explain', refused)).toMatchObject({
      code: 0,
      result: {
        call: refused,
        ending: { kind: 'refused', code: 'policy_default', cause: 'policy' },
        decisions: [
          {
            signature: 'verified',
            decision: { verdict: 'deny' },
            explanation: {
              repeated: { same: true },
              grant: { outcome: 'allow', grant: { tools: ['bare'] } },
              questions: { unasked: 0 },
            },
          },
        ],
      },
    });
    expect(await runPolicy(line, 'explain', traffic.asked)).toMatchObject({
      code: 0,
      result: {
        ending: { kind: 'carried-out', outcome: 'succeeded' },
        decisions: [
          {
            recorded: true,
            decision: { verdict: 'ask' },
            explanation: {
              repeated: { same: true },
              counterfactuals: expect.arrayContaining([{ kind: 'approval', given: true, verdict: 'allow' }]),
            },
          },
          { approval: { person: 'bob' }, decision: { verdict: 'allow' } },
        ],
      },
    });
  },
  TEST_MS,
);

test(
  '[P-agent-grant] whoever creates an agent is told which tools it may ask for, and the grant that is missing where there is none',
  async () => {
    const covered = await runCommand(line, 'agent', 'create', 'acme/second', '--user', 'ada');
    expect(covered).toMatchObject({ code: 0 });
    expect(covered.stderr).toMatch(/acme\/second may ask for 3 of \d+ tools: /);
    const uncovered = await runCommand(line, 'agent', 'create', 'other/helper', '--user', 'ada');
    expect(uncovered).toMatchObject({ code: 0, result: { tenant: 'other', agent: 'helper' } });
    expect(uncovered.stderr).toContain('no grant covers other/helper yet, so every call of it is denied.');
    expect(uncovered.stderr).toContain('- { tenants: [other], agents: [helper], tools: [TOOL] }');
  },
  TEST_MS,
);

test(
  '[P-policy-simulate] a call that is still held counts once, and the candidate is by default the folder of the configuration',
  async () => {
    const { body } = await line.call('ask', { text: 'later' });
    const held = z.string().parse(body.call);
    await eventually(async () => (await recorded()) === 6);
    const same = await runPolicy(line, 'simulate');
    expect(same).toMatchObject({ code: 0, result: { calls: 6, held: 1, changed: 0, base: { ask: 2 } } });
    const rule = path.join(line.config, 'policies', 'rules', 'no_asking');
    await mkdir(rule, { recursive: true });
    await writeFile(
      path.join(rule, 'no_asking.rego'),
      'package interlock.rules.no_asking\n\ndeny contains "No." if input.arguments.text == "later"\n',
    );
    expect(await runPolicy(line, 'simulate')).toMatchObject({
      code: 1,
      result: {
        changed: 1,
        changes: [{ from: 'ask', to: 'deny', rulesBefore: ['destructive_asks'], examples: [{ call: held }] }],
      },
    });
    await line.person('bob').answer(held, 'deny');
    await eventually(async () => {
      const { result } = await runPolicy(line, 'simulate', '--fail-on', 'never');
      return z.looseObject({ held: z.int() }).parse(result).held === 0;
    }, TEST_MS);
    expect(await runPolicy(line, 'simulate')).toMatchObject({ result: { calls: 6, held: 0 } });
  },
  3 * TEST_MS,
);
