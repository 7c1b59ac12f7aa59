import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { send } from './http.ts';
import { joinBus } from './inside.ts';
import { type Line, startLine } from './line.ts';

const START_MS = 100_000;
const auditSchema = z.object({
  records: z.array(
    z.object({
      step: z.string(),
      evidence: z.object({
        decision: z.object({ verdict: z.string(), policyDigest: z.string() }).optional(),
      }),
    }),
  ),
});

let line: Line;
beforeAll(async () => {
  line = await startLine({ policyData: { blocked_tools: [{ tools: ['write'] }] } });
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

async function evaluated(tool: string) {
  const { status, body } = await send(new URL('/access/v1/evaluation', line.interlock.ingress), {
    method: 'POST',
    token: line.agent('helper').key,
    body: {
      subject: { type: 'agent', id: 'helper' },
      action: { name: 'execute_tool' },
      resource: { type: 'tool', id: tool, properties: { arguments: { text: 'hello' } } },
    },
  });
  expect(status).toBe(200);
  return z
    .object({
      decision: z.boolean(),
      context: z.looseObject({ evaluation: z.string(), policyDigest: z.string() }),
    })
    .parse(body);
}

test('[P-authzen] the answer to another enforcement point is on the ledger before it is returned', async () => {
  await using executor = await joinBus(line.interlock, 'executor');
  for (const tool of ['idem', 'write', 'idem', 'write']) {
    const { context } = await evaluated(tool);
    expect(await executor.readStep('evaluated', 'acme', context.evaluation)).toBeDefined();
  }
});

test('[P-authzen] the answer to another enforcement point is in the audit, and nothing was carried out', async () => {
  const allowed = await evaluated('idem');
  const denied = await evaluated('write');
  expect([allowed.decision, denied.decision]).toEqual([true, false]);
  for (const [{ context }, verdict] of [
    [allowed, 'allow'],
    [denied, 'deny'],
  ] as const) {
    const record = await eventually(async () => {
      const { body } = await line.person('alice').get(`/v1/audit/calls/${context.evaluation}`);
      return auditSchema.safeParse(body).data?.records.find(({ step }) => step === 'evaluated');
    });
    expect(record.evidence.decision).toMatchObject({ verdict, policyDigest: context.policyDigest });
  }
  expect(line.upstream.requests).toEqual([]);
});
