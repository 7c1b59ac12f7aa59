/** Publishing, comparing, rolling back and shadowing from the command line, on a line that runs. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { runCommand, runPolicy } from './command.ts';
import { type Publishing, startPublishing } from './publishing.ts';

const START_MS = 120_000;
const TEST_MS = 90_000;

let place: Publishing;
beforeAll(async () => {
  place = await startPublishing();
}, START_MS);
afterAll(() => place?.[Symbol.asyncDispose](), START_MS);

const run = (...argv: string[]) => runPolicy(place.line, ...argv);

test(
  '[P-policy-publish] a policy is published, compared, and rolled back from the command line, which ends with 1 when a decider refused',
  async () => {
    const folder = path.join(place.line.config, 'policies');
    const first = await run('publish', folder, '--reason', 'as it was');
    expect(first).toMatchObject({ code: 0, result: { deciders: [{}, {}] } });
    expect(await run('publish', folder)).toMatchObject({ code: 0, result: { changed: false } });
    const { version } = versionSchema.parse(first.result);

    const rule = path.join(folder, 'rules', 'quiet');
    await mkdir(rule, { recursive: true });
    await writeFile(
      path.join(rule, 'quiet.rego'),
      'package interlock.rules.quiet\n\nimport rego.v1\n\ndeny contains "Quiet." if input.tool.name == "bare"\n',
    );
    const diff = { code: 0, result: { rules: { added: ['quiet'], removed: [], changed: [] } } };
    expect(await run('diff', String(version), folder)).toMatchObject(diff);
    const second = await run('publish', '--reason', 'quiet');
    expect(second).toMatchObject({ code: 0, result: { version: version + 1, changed: true } });
    expect(await run('diff', String(version), String(version + 1))).toMatchObject(diff);
    expect(await place.line.call('bare', { text: 'x' })).toMatchObject({ status: 403 });

    expect(await run('rollback', '--reason', 'too quiet')).toMatchObject({
      code: 0,
      result: { version: version + 2, rollbackOf: version },
    });
    expect((await place.line.call('bare', { text: 'x' })).status).toBe(200);
    expect(await run('status')).toMatchObject({
      code: 0,
      result: { current: { version: version + 2, reason: 'too quiet' }, deciders: [{}, {}] },
    });
    const bad = await place.smuggle(place.bundles.boundless);
    const refused = await run('rollback', '--to', String(bad));
    expect(refused).toMatchObject({ code: 1, result: undefined });
    expect(refused.stderr).toContain('bundle_rejected');
    expect((await place.line.call('bare', { text: 'x' })).status).toBe(200);
  },
  TEST_MS,
);

test(
  '[P-apply-decided] apply ends with 1 where the deciders refuse the policy that it published',
  async () => {
    const rule = path.join(place.line.config, 'policies', 'rules', 'quiet');
    await mkdir(rule, { recursive: true });
    const file = path.join(rule, 'quiet.rego');
    await writeFile(file, 'package interlock.rules.quiet\n\nallow contains "Anything goes." if true\n');
    const refused = await runCommand(place.line, 'apply', '--yes');
    expect(refused).toMatchObject({ code: 1, result: undefined });
    expect(refused.stderr).toContain('bundle_rejected');
    await writeFile(file, 'package interlock.rules.quiet\n\nallow contains "No." if false\n');
    expect(await runCommand(place.line, 'apply', '--yes')).toMatchObject({
      code: 0,
      result: { changed: ['policy/current'] },
    });
  },
  TEST_MS,
);

test(
  '[P-policy-eval] eval asks the policy in force about tools and agents of the installation, as a call would, and leaves no record',
  async () => {
    const recorded = async () => {
      const { body } = await place.line.person('alice').get('/v1/audit/search?tool=ask');
      return z.object({ records: z.array(z.unknown()) }).parse(body).records.length;
    };
    await place.publish(place.bundles.one);
    const before = await recorded();
    const asked = await run(
      'eval',
      '{"tool": "ask", "arguments": {"text": "x"}}',
      '--published',
      '--agent',
      'acme/helper',
    );
    expect(asked).toMatchObject({
      code: 0,
      result: {
        policy: { from: 'published', signature: 'verified' },
        agent: 'helper',
        decision: { verdict: 'ask', facts: { tool: { labels: ['writes', 'destructive'] } } },
      },
    });
    expect(await run('eval', '{"tool": "asq"}', '--published', '--agent', 'acme/helper')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('did you mean ask?'),
    });
    expect(await recorded()).toBe(before);
  },
  TEST_MS,
);

const versionSchema = z.looseObject({ version: z.int() });

test(
  '[P-policy-shadow] a candidate that denies changes no call, and only its disagreements are on record',
  async () => {
    const current = await place.publish(place.bundles.one);
    const candidate = await place.publish(place.bundles.strict, 'candidate');
    const [wrote, read] = await Promise.all([
      place.line.call('write', { text: 'x' }),
      place.line.call('read', { id: 1 }),
    ]);
    expect([wrote.body.outcome, read.body.outcome]).toEqual(['succeeded', 'succeeded']);
    expect(await place.decisionOf(wrote.body.call)).toMatchObject({
      verdict: 'allow',
      policyVersion: current.version,
      shadow: {
        verdict: 'deny',
        policyVersion: candidate.version,
        policyDigest: candidate.digest,
        reasons: [{ rule: 'no_writes', text: 'No.' }],
      },
    });
    expect((await place.decisionOf(read.body.call)).shadow).toBeUndefined();

    const { body: held } = await place.line.call('ask', { text: 'x' });
    await place.line.person('bob').answer(held.call ?? '', 'approve');
    expect((await place.line.getCall(held.call ?? '', { waitSeconds: 20 })).body.outcome).toBe('succeeded');
    expect(await place.decisionOf(held.call)).toMatchObject({
      verdict: 'allow',
      shadow: { verdict: 'deny' },
    });
    expect(await run('shadow', 'report', '--since', '1h')).toMatchObject({
      code: 0,
      result: {
        disagreements: 2,
        groups: [
          { tool: 'write', from: 'allow', to: 'deny', rulesNow: ['no_writes'], calls: 1 },
          { tool: 'ask', from: 'ask', to: 'deny', rulesNow: ['no_writes'], calls: 1 },
        ].map((group) => expect.objectContaining(group)),
      },
    });
    await place.line.person('alice').delete('/v1/policy/candidate');
    await eventually(async () =>
      (await place.state()).deciders.every((decider) => decider.candidate === undefined),
    );
    const after = await place.line.call('write', { text: 'y' });
    expect((await place.decisionOf(after.body.call)).shadow).toBeUndefined();
  },
  TEST_MS,
);
