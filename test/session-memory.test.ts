/** What calls before this one, and what a parser reads in it, change for a call: on the whole line, by the library. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { emergencyListSchema } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Line, startLine } from './line.ts';

const MAIN = fileURLToPath(new URL('../deploy/local/src/main.ts', import.meta.url));
const START_MS = 100_000;

let line: Line;
beforeAll(async () => {
  line = await startLine({
    // Alice opens an emergency for the agent that acts for her.
    approvals: { emergencies: { separateDuties: false } },
    tools: {
      write: {
        labels: [],
        inputSchema: { type: 'object', properties: { sql: { type: 'string' } } },
        parse: [{ at: '/sql', as: 'sql', dialect: 'postgresql' }],
      },
      idem: {
        labels: ['spends'],
        inputSchema: { type: 'object', properties: { amount: { type: 'number' } } },
        spends: '/amount',
      },
    },
    replicas: { decider: 2, limiter: 2 },
    policyData: {
      first_use_asks: { tools: ['slow'] },
      amount_cap: [
        { tools: ['idem'], budgets: [{ name: 'of_a_task', amount: 500, per: ['session'], hours: 24 }] },
      ],
      origin_allowed: [{ agents: ['other'], networks: ['192.0.2.0/24'] }],
    },
  });
}, START_MS);
afterAll(async () => {
  await line?.[Symbol.asyncDispose]();
}, START_MS);

/** Runs the command as alice and returns what it printed as JSON. */
async function interlock(...args: string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    MAIN,
    ...args,
    '--as',
    'alice',
    '--json',
    '--data',
    line.interlock.data,
  ]);
  return JSON.parse(stdout);
}

/** What becomes of a call: its outcome, `held`, or the code and rule of its refusal. */
async function fate(tool: string, args: object, agent: 'helper' | 'other' = 'helper'): Promise<string> {
  const { status, body } = await line.call(tool, args, { agent });
  if (status === 202) return 'held';
  return body.code === undefined ? String(body.outcome) : `${body.code} ${body['rule'] ?? ''}`.trim();
}

describe('[P-facts-parsed] a statement is refused for what it does', () => {
  test.each([
    'select 1; drop table orders',
    'with x as (delete from orders returning *) select * from x',
    'select pg_sleep(10)',
    'selec 1',
  ])('%s', async (sql) => {
    expect(await fate('write', { sql })).toBe('policy_denied sql_arguments');
  });

  test('and goes on where it only reads', async () => {
    expect(await fate('write', { sql: 'select count(*) from orders where id = 7' })).toBe('succeeded');
  });
});

test('a call from an address outside the networks of its agent is denied', async () => {
  expect(await fate('read', { id: 1 }, 'other')).toBe('policy_denied origin_allowed');
});

describe('[P-session-memory] a session', () => {
  test('is asked about the first use of a tool, and then no more', async () => {
    const first = await line.call('slow', { text: 'a' });
    expect(first.status).toBe(202);
    await line.person('bob').answer(String(first.body.call), 'approve');
    await line.getCall(String(first.body.call), { waitSeconds: 20 });
    await eventually(async () => (await fate('slow', { text: 'b' })) === 'succeeded');
    const fates = await Promise.all(Array.from({ length: 10 }, () => fate('slow', { text: 'c' })));
    expect(new Set(fates)).toEqual(new Set(['succeeded']));
  });

  test('in which a person said no twice is not asked about the same again', async () => {
    for (let times = 0; times < 2; times += 1) {
      const asked = await line.call('ask', { text: 'twice' });
      expect(asked.status).toBe(202);
      await line.person('bob').answer(String(asked.body.call), 'deny');
      await line.getCall(String(asked.body.call), { waitSeconds: 20 });
    }
    await eventually(async () => (await fate('ask', { text: 'twice' })) === 'policy_denied denied_twice');
    expect(await fate('ask', { text: 'another' })).toBe('held');
  });
});

test('[P-obligations] a task spends what policy gives it and not more, however many ask at once', async () => {
  const fates = await Promise.all(Array.from({ length: 12 }, () => fate('idem', { amount: 90 })));
  expect(fates.filter((one) => one === 'succeeded')).toHaveLength(5);
  expect(new Set(fates.filter((one) => one !== 'succeeded'))).toEqual(
    new Set(['spend_limited limits/amount_cap-of_a_task-86400']),
  );
  expect(await fate('idem', { amount: 50 })).toBe('succeeded');
  expect(await fate('idem', { amount: 0.01 })).toContain('spend_limited');
});

test('[P-emergency] breaking the glass answers what policy asks for a while, lifts no denial, and ends when it is ended', async () => {
  const asks = () => fate('ask', { text: 'an emergency' });
  expect(await asks()).toBe('held');
  const glass = ['policy', 'break-glass', 'acme/helper'];
  const opened = await interlock(
    ...glass,
    '--tools',
    'ask,write',
    '--reason',
    'the till is down',
    '--for',
    '30m',
  );
  const { emergencies } = emergencyListSchema.parse(opened);
  expect(emergencies).toMatchObject([{ tools: ['ask', 'write'], by: 'alice', reason: 'the till is down' }]);
  await eventually(async () => (await asks()) === 'succeeded');
  expect(await fate('write', { sql: 'drop table orders' })).toBe('policy_denied sql_arguments');
  expect(await interlock('policy', 'break-glass', '--list')).toEqual({ emergencies });
  expect(await interlock(...glass, '--end')).toEqual({ emergencies: [] });
  await eventually(async () => (await asks()) === 'held');
});
