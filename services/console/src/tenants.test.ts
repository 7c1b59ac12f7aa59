import { personListSchema, switchListSchema } from '@interlock/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ConsoleFixture, startConsole } from './console.fixture.ts';

let fixture: ConsoleFixture;
beforeAll(async () => {
  fixture = await startConsole([
    { person: 'alice', roles: ['admin'] },
    { person: 'otto', roles: ['operator', 'reader', 'approver'], tenants: ['acme', 'both'] },
    { person: 'riva', roles: ['operator', 'approver'], tenants: ['rival', 'both'] },
    { person: 'rex', roles: ['operator', 'approver'], tenants: ['rival'] },
  ]);
  for (const tenant of ['acme', 'rival']) {
    await fixture.ask('alice', 'POST', '/v1/agents', { tenant, agent: 'helper', user: `user_of_${tenant}` });
    const glass = { tenant, agent: 'helper', tools: ['pay'], reason: `fire at ${tenant}`, forMs: 60_000 };
    await fixture.ask('alice', 'POST', '/v1/emergencies', glass);
    for (const target of [
      { kind: 'tenant', tenant },
      { kind: 'agent', tenant, agent: 'helper' },
    ])
      await fixture.ask('alice', 'POST', '/v1/kill', { target, on: true, reason: `odd at ${tenant}` });
  }
  await fixture.ask('alice', 'POST', '/v1/kill', { target: { kind: 'tool', tool: 'pay' }, on: true });
});
afterAll(() => fixture[Symbol.asyncDispose]());

test.each(['agents', 'emergencies', 'kill', 'labels', 'approvals', 'people'])(
  '[P-tenant-people] %s lists nothing of another tenant for a person limited to some',
  async (list) => {
    const { status, body } = await fixture.ask('otto', 'GET', `/v1/${list}`);
    expect(status).toBe(200);
    expect(JSON.stringify(body)).not.toContain('rival');
    expect(JSON.stringify(body)).not.toContain('rex');
  },
);

test('[P-tenant-people] what is of such a person’s tenants, and what stops calls of every tenant, is listed', async () => {
  const { switches } = switchListSchema.parse((await fixture.ask('otto', 'GET', '/v1/kill')).body);
  expect(switches.map(({ key }) => key).sort()).toEqual(['agent.acme.helper', 'tenant.acme', 'tool.pay']);
  const { people } = personListSchema.parse((await fixture.ask('otto', 'GET', '/v1/people')).body);
  expect(people.map(({ person, tenants }) => [person, tenants]).sort()).toEqual([
    ['alice', undefined],
    ['otto', ['acme', 'both']],
    ['riva', ['both']],
  ]);
  expect(await fixture.ask('otto', 'GET', '/v1/agents')).toMatchObject({
    body: { agents: [{ tenant: 'acme' }] },
  });
});

test.each(['credentials', `policy/bundles/${'a'.repeat(64)}`])(
  '[P-tenant-people] %s, which is of every tenant, is refused to a person limited to some',
  async (path) => {
    expect(await fixture.ask('otto', 'GET', `/v1/${path}`)).toMatchObject({
      status: 403,
      body: { code: 'role_missing' },
    });
  },
);
