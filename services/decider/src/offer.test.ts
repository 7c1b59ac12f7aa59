import { Fault, sha256, type Tool } from '@interlock/contracts';
import { type LoadedPolicy, openBundle } from '@interlock/policy';
import { buildPolicy, caller, createTestKeys, FakeClock } from '@interlock/testkit';
import { beforeAll, describe, expect, test } from 'vitest';
import { agent, callOf, contextOf, requested, toolOf } from './decision.fixture.ts';
import { Offers } from './offer.ts';
import { decideRequested } from './steps.ts';

const keys = createTestKeys();
const request = { tenant: 'acme', agent: 'clerk', user: 'ada', session: caller.session };
const named = (name: string, more = {}) => toolOf(name, more);
const tools = [
  named('pay', { labels: ['spends'], spends: '/amount' }),
  named('read'),
  named('staged', { environment: 'staging' }),
  named('wipe'),
  named('clock_in'),
  named('always'),
  named('sometimes'),
  named('nobody'),
];
const [pay, , , , clockIn, , , nobody] = tools;

let policy: LoadedPolicy;
beforeAll(async () => {
  const bytes = await buildPolicy({
    rules: {
      own: 'allow contains "Always." if input.tool.name == "always"\n\nallow contains "One." if {\n\tinput.tool.name == "sometimes"\n\tinput.arguments.a == 1\n}',
    },
    data: {
      config: {
        zones: ['Europe/Berlin'],
        allow_listed: [
          { roles: ['support'], tools: ['read', 'staged', 'wipe', 'clock_in'] },
          { roles: ['support'], tools: ['pay'], where: [{ at: '/amount', max: 50 }] },
          { roles: ['boss'], tools: ['*'] },
        ],
        blocked_tools: [{ tools: ['wipe', 'nobody'] }],
        hours: [
          {
            tools: ['clock_in'],
            zone: 'Europe/Berlin',
            open: [{ weekdays: [1, 2, 3, 4, 5], from: '08:00', to: '18:00' }],
            holidays: ['2026-01-01', '2026-01-02'],
          },
        ],
      },
    },
  });
  policy = openBundle({ version: 1, digest: sha256(bytes), bytes: bytes.byteLength }, bytes);
});

type Listener = (key: string, value: Tool | undefined) => void;

/** A watch of the tools whose content a test changes. */
function watched(held: Tool[]) {
  const listeners: Listener[] = [];
  return {
    current: true,
    all: () => held.map((value) => ({ key: value.name, value, version: 1 })),
    onChange: (listener: Listener) => void listeners.push(listener),
    set(changed: Tool[]) {
      held.splice(0, held.length, ...changed);
      for (const listener of listeners) for (const value of changed) listener(value.name, value);
    },
  };
}

function offersOf(held = [...tools]) {
  const watch = watched(held);
  const asked: string[] = [];
  const clock = new FakeClock();
  const toolOfCall = async ({ tool }: { tool: string }) => {
    asked.push(tool);
    return held.find(({ name }) => name === tool);
  };
  const context = { ...contextOf(keys, named('read'), policy), toolOf: toolOfCall };
  return { offers: new Offers(context, watch, clock), watch, asked, clock, context };
}

describe('[P-tools-own] the tools that an agent is shown', () => {
  test('are those that a grant covers with some arguments, or a rule allows without any, and nothing else', async () => {
    const { offers } = offersOf();
    // `staged` is of another environment, `wipe` is blocked, `sometimes` is allowed with arguments that are not known.
    expect((await offers.of(request)).tools).toEqual(['always', 'clock_in', 'pay', 'read']);
  });

  test('are listed once until a tool changes, and then anew', async () => {
    const { offers, watch, asked } = offersOf();
    await Promise.all([offers.of(request), offers.of(request), offers.of(request)]);
    expect(asked).toHaveLength(tools.length);
    watch.set([named('read'), named('write')]);
    expect((await offers.of(request)).tools).toEqual(['read']);
  });

  test('are listed anew when the agent has changed, and after a moment', async () => {
    const { offers, asked, clock, context } = offersOf();
    await offers.of(request);
    const boss = { ...agent, roles: ['boss'] };
    context.agentOf = async () => boss;
    expect((await offers.of(request)).tools).toContain('sometimes');
    expect(asked).toHaveLength(2 * tools.length);
    await clock.advance(10_001);
    await offers.of(request);
    expect(asked).toHaveLength(3 * tools.length);
  });

  test('are none where the agent is not the one that is registered, and where no policy is loaded', async () => {
    const { offers, context } = offersOf();
    await expect(offers.of({ ...request, user: 'eve' })).rejects.toThrow('statement_invalid');
    context.policies = { inForce: () => Promise.reject(new Fault('policy_missing')), candidate: undefined };
    await expect(offers.of(request)).rejects.toThrow('policy_missing');
  });
});

describe('[P-answers-advise] a denial', () => {
  async function denied(tool: Tool | undefined, args = {}, roles = ['support']) {
    if (tool === undefined) throw new Error('there is no such tool');
    const context = { ...contextOf(keys, tool, policy), agentOf: async () => ({ ...agent, roles }) };
    const next = await decideRequested(context, requested(callOf(tool, args)));
    if (next.step !== 'refused') throw new Error('it is not refused');
    return next.body;
  }

  test('that ends by itself says when', async () => {
    // 1 January 2026 is a Thursday and a holiday, as is the Friday.
    expect(await denied(clockIn)).toMatchObject({
      code: 'policy_denied',
      rule: 'hours',
      next: 'Make a new call, with a new Idempotency-Key if it had one, from Monday 08:00 Europe/Berlin.',
    });
  });

  test('says that no grant covers the call before it says anything else', async () => {
    expect(await denied(clockIn, {}, ['guest'])).toMatchObject({
      code: 'policy_default',
      detail: 'No policy rule allows this call. This tool is not open at this hour.',
    });
    expect(await denied(nobody)).toMatchObject({
      code: 'policy_default',
      detail: expect.stringContaining('blocked'),
    });
    expect(await denied(pay, { amount: 51 })).toMatchObject({ code: 'policy_default' });
    expect(await denied(clockIn, {}, ['guest'])).not.toHaveProperty('next');
  });

  test('of a granted call that does not end by itself names no time', async () => {
    const wipe = tools.find(({ name }) => name === 'wipe');
    const body = await denied(wipe);
    expect(body).toMatchObject({ code: 'policy_denied', rule: 'blocked_tools' });
    expect(body).not.toHaveProperty('next');
  });
});
