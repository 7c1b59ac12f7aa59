import { factsSchema, localServerSchema, policyInputSchema, sha256, type Tool } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import { agent, callOf, nowMs, session, toolOf } from './decision.fixture.ts';
import { type Facts, policyInput } from './facts.ts';

const HOUR_MS = 3_600_000;
const tool = toolOf('pay', { spends: '/amount' });

function factsOf(more: Partial<Facts> = {}): Facts {
  return {
    call: callOf(tool, { amount: 5 }),
    arguments: { amount: 5 },
    tool,
    agent,
    session,
    parsed: factsSchema.parse({}),
    local: {},
    environment: 'test',
    ...more,
  };
}

describe('the input of policy', () => {
  test('is whole for the plainest call', () => {
    const input = policyInput(factsOf(), nowMs);
    expect(policyInputSchema.parse(input)).toEqual(input);
    expect(input).toMatchObject({
      subject: { proof: 'api_key' },
      tool: { name: 'pay', firstUse: true },
      history: { denied: [] },
      context: { environment: 'test', door: 'executor' },
      spends: 5,
    });
  });

  test('is whole for a call of which everything is known', () => {
    const digest = sha256('a definition');
    const emergency = {
      id: 'emg_1',
      tenant: 'acme',
      agent: 'clerk',
      tools: ['*'],
      by: 'bob',
      reason: 'the store is on fire',
      openedAt: nowMs - 1,
      expiresAt: nowMs + HOUR_MS,
    };
    const target: Tool['target'] = {
      kind: 'mcp',
      server: 'files',
      name: 'pay',
      connection: localServerSchema.parse({ transport: 'stdio', command: 'node' }),
      definitionDigest: digest,
      pinnedDigest: sha256('another'),
      timeoutMs: 1_000,
    };
    const known = toolOf('pay', { target, environment: 'production' });
    const more = { purpose: 'a test', origin: { address: '192.0.2.7' } };
    const input = policyInput(
      factsOf({
        tool: known,
        call: callOf(known, {}, more),
        agent: { ...agent, environment: 'staging' },
        session: { ...session, used: { tools: ['pay'], destinations: [] } },
        local: { 'Europe/Berlin': { date: '2026-01-01', weekday: 4, minuteOfDay: 60 } },
        emergency,
        approval: { questionDigest: digest, person: 'bob', resolvedAt: nowMs - 5 },
        asker: 'gate',
      }),
      nowMs,
    );
    expect(policyInputSchema.parse(input)).toEqual(input);
    expect(input).toMatchObject({
      subject: { environment: 'staging', proof: 'enforcement_point' },
      tool: {
        environment: 'production',
        firstUse: false,
        definition: { pinned: sha256('another'), current: digest },
      },
      context: { door: 'authzen', origin: { address: '192.0.2.7' }, purpose: 'a test' },
      emergency: { id: 'emg_1', by: 'bob' },
      approval: { person: 'bob' },
    });
  });

  test('says of a denial whether it had the same arguments, for a day and for this tool alone', () => {
    const call = callOf(tool, { amount: 5 });
    const denied = [
      { at: nowMs - 25 * HOUR_MS, tool: 'pay', argumentsDigest: call.argumentsDigest },
      { at: nowMs - 23 * HOUR_MS, tool: 'pay', argumentsDigest: sha256('others') },
      { at: nowMs - HOUR_MS, tool: 'read_order', argumentsDigest: call.argumentsDigest },
      { at: nowMs + 1, tool: 'pay', argumentsDigest: call.argumentsDigest },
    ];
    expect(policyInput(factsOf({ session: { ...session, denied } }), nowMs).history.denied).toEqual([
      { at: nowMs - 23 * HOUR_MS, same: false },
      { at: nowMs + 1, same: true },
    ]);
  });
});
