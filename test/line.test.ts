import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Line, startLine, UPSTREAM_TOKEN } from './line.ts';

const START_MS = 100_000;

let line: Line;
beforeAll(async () => {
  line = await startLine();
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

describe('a tool call', () => {
  test('[P-ingress-arguments] that no schema allows has no effect and says where the fault is', async () => {
    const before = line.upstream.requests.length;
    const { status, body } = await line.call('write', { text: 7 });
    expect({ status, body }).toMatchObject({
      status: 422,
      body: { code: 'arguments_invalid', pointer: '/arguments/text' },
    });
    expect(line.upstream.requests).toHaveLength(before);
  });

  test('[P-answer-from-the-ledger] gets its effect once, with a credential that the agent never sees', async () => {
    const { status, body, text } = await line.call('write', { text: 'hello' });
    expect({ status, outcome: body.outcome }).toEqual({ status: 200, outcome: 'succeeded' });
    expect(line.upstream.effects.get(body.call ?? '')).toBe(1);
    expect(text).not.toContain(UPSTREAM_TOKEN);
  });

  test('[P-approval-exact-call] that a person approved happens once', async () => {
    const held = await line.call('ask', { text: 'may I?' });
    expect({ status: held.status, state: held.body.state }).toEqual({ status: 202, state: 'held' });
    const call = held.body.call ?? '';
    expect(line.upstream.effects.get(call)).toBeUndefined();
    const answered = await line.person('bob').answer(call, 'approve');
    expect({ status: answered.status, state: answered.body.state }).toEqual({
      status: 200,
      state: 'approved',
    });
    expect((await line.look(call, { waitSeconds: 30 })).body.outcome).toBe('succeeded');
    expect(line.upstream.effects.get(call)).toBe(1);
  });
});
