import {
  agentEntrySchema,
  approvalsEntrySchema,
  controlSchema,
  emergencyListSchema,
} from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConsoleFixture, startConsole } from './console.fixture.ts';
import { whyNot } from './emergency-duties.ts';

const HOUR_MS = 3_600_000;
let fixture: ConsoleFixture;
beforeAll(async () => {
  fixture = await startConsole([
    { person: 'alice', roles: ['admin'] },
    { person: 'otto', roles: ['operator', 'approver'], tenants: ['acme'] },
    { person: 'bob', roles: ['approver'] },
    { person: 'olga', roles: ['operator'] },
    { person: 'ada', roles: ['operator', 'approver'] },
  ]);
  for (const tenant of ['acme', 'other'])
    await fixture.ask('alice', 'POST', '/v1/agents', { tenant, agent: 'helper', user: 'ada' });
});
afterAll(() => fixture[Symbol.asyncDispose]());

const wanted = {
  tenant: 'acme',
  agent: 'helper',
  tools: ['pay'],
  reason: 'the store is on fire',
  forMs: HOUR_MS,
};

async function open(person: string, more: object = {}) {
  return await fixture.ask(person, 'POST', '/v1/emergencies', { ...wanted, ...more });
}

describe('[P-emergency] an emergency is not opened', () => {
  test.each([
    ['for longer than four hours', { forMs: 4 * HOUR_MS + 1 }, '/forMs'],
    ['without an end', { forMs: undefined }, '/forMs'],
    ['without a reason', { reason: '' }, '/reason'],
    ['with an empty reason', { reason: '  ' }, '/reason'],
    ['for no tool', { tools: [] }, '/tools'],
  ])('%s', async (_, more, pointer) => {
    expect(await open('alice', more)).toMatchObject({ status: 400, body: { code: 'body_invalid', pointer } });
  });

  test('for an agent that does not exist', async () => {
    expect(await open('alice', { agent: 'nobody' })).toMatchObject({ status: 404 });
  });

  test('by a person without the role, or without rights in the tenant', async () => {
    expect(await open('bob')).toMatchObject({ status: 403, body: { code: 'role_missing' } });
    expect(await open('otto', { tenant: 'other' })).toMatchObject({ status: 403 });
    expect(await fixture.ask('bob', 'DELETE', '/v1/emergencies/acme/helper')).toMatchObject({ status: 403 });
    expect(await fixture.ask('otto', 'GET', '/v1/emergencies')).toMatchObject({ body: { emergencies: [] } });
  });

  test('[P-emergency-duties] by an operator who may not answer questions about every one of the tools', async () => {
    expect(await open('olga')).toMatchObject({ status: 403, body: { code: 'role_missing' } });
    expect(await open('olga', { tools: ['*'] })).toMatchObject({ status: 403 });
  });

  test('[P-emergency-duties] by whom the agent acts for, who made it, or who made a key of it', async () => {
    expect(await open('ada')).toMatchObject({ status: 403, body: { code: 'role_missing' } });
    await fixture.ask('otto', 'POST', '/v1/agents', { tenant: 'acme', agent: 'own', user: 'someone' });
    expect(await open('otto', { agent: 'own' })).toMatchObject({
      status: 403,
      body: { code: 'role_missing' },
    });
    const shared = { tenant: 'acme', agent: 'shared', user: 'someone' };
    await fixture.ask('alice', 'POST', '/v1/agents', shared);
    await fixture.ask('otto', 'POST', '/v1/agents/acme/shared/rotate', {});
    expect(await open('otto', { agent: 'shared' })).toMatchObject({ status: 403 });
    expect(await open('alice', { agent: 'own' })).toMatchObject({ status: 200 });
    await fixture.ask('alice', 'DELETE', '/v1/emergencies/acme/own');
  });

  test('and cannot be closed where it is not open', async () => {
    expect(await fixture.ask('otto', 'DELETE', '/v1/emergencies/acme/helper')).toMatchObject({ status: 404 });
  });
});

test('[P-emergency] an emergency reaches the decider, is recorded on CONTROL with its reason, is listed, and can be closed early', async () => {
  const auditor = await fixture.join('auditor');
  const recorded: string[] = [];
  await using _following = auditor.follow('CONTROL', async (batch) => {
    for (const { data } of batch) {
      const operation = controlSchema.parse(JSON.parse(new TextDecoder().decode(data)));
      if (operation.kind === 'emergency' && operation.name === 'helper')
        recorded.push(`${operation.verb} ${operation.name} ${operation.by} ${operation.reason ?? ''}`.trim());
    }
  });
  const decider = await fixture.join('decider');
  await using emergencies = await decider.entries('emergencies').watch();
  const answer = await open('otto');
  expect(answer.status).toBe(200);
  const [emergency] = emergencyListSchema.parse(answer.body).emergencies;
  expect(emergency).toMatchObject({ by: 'otto', tools: ['pay'], reason: wanted.reason });
  expect((emergency?.expiresAt ?? 0) - (emergency?.openedAt ?? 0)).toBe(HOUR_MS);
  expect(await eventually(() => emergencies.get('acme.helper'))).toEqual(emergency);
  await open('alice', { tenant: 'other' });
  const listed = emergencyListSchema.parse((await fixture.ask('otto', 'GET', '/v1/emergencies')).body);
  expect(listed.emergencies).toEqual([emergency]);
  const closed = await fixture.ask('otto', 'DELETE', '/v1/emergencies/acme/helper');
  expect(closed).toMatchObject({ status: 200, body: { emergencies: [] } });
  await eventually(() => emergencies.get('acme.helper') === undefined);
  await eventually(() => recorded.length === 3);
  expect(recorded).toEqual([
    `opened helper otto ${wanted.reason}`,
    `opened helper alice ${wanted.reason}`,
    'closed helper otto',
  ]);
});

describe('[P-emergency-duties] who may open an emergency', () => {
  const agent = agentEntrySchema.parse({
    tenant: 'acme',
    agent: 'a',
    user: 'ada',
    session: 'ses_1',
    keys: [],
  });
  const facts = (approvals: object, tools = ['pay']) => ({
    ...{ agent, tools, nowMs: 1 },
    approvals: approvalsEntrySchema.parse(approvals),
  });
  const boss = { person: 'boss', roles: ['finance'] };

  test('is asked of every tool, by the rule that is about it', () => {
    const rules = [{ tool: 'pay', roles: ['finance'] }];
    expect(whyNot(boss, facts({ rules }))).toBeUndefined();
    expect(whyNot(boss, facts({ rules }, ['pay', 'read']))).toContain('may not answer');
    expect(whyNot(boss, facts({ rules }, ['*']))).toContain('may not answer');
    expect(whyNot({ person: 'bob', roles: ['approver'] }, facts({ rules }, ['*']))).toContain('may not');
  });

  test('may be the agent’s own user only where approvals.yaml says so', () => {
    const ada = { person: 'ada', roles: ['approver'] };
    expect(whyNot(ada, facts({}))).toContain('acts for this person');
    expect(whyNot({ person: 'ada', roles: ['admin'] }, facts({}))).toContain('acts for this person');
    expect(whyNot(ada, facts({ emergencies: { separateDuties: false } }))).toBeUndefined();
  });
});
