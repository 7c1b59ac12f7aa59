import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Check } from '@interlock/cli';
import { afterEach, describe, expect, test } from 'vitest';
import { withApi } from './command.fixture.ts';
import { dataFiles } from './installation-files.ts';
import { checkServices } from './service-checks.ts';

const digest = 'a'.repeat(64);
const entry = { version: 3, digest, bytes: 1, signature: 's', publishedAt: 1, by: 'alice' };
const decider = { replica: 'decider-1', at: 1, current: { version: 3, digest }, rejected: [] };
const note = {
  name: 'note',
  description: 'Reads a note.',
  inputSchema: { type: 'object' },
  target: {
    ...{ kind: 'http', method: 'GET', url: 'https://notes.example/' },
    egress: { allow: ['notes.example'] },
  },
};
/** What an installation answers in which nothing is wrong. */
const healthy: Record<string, object> = {
  '/v1/people': { people: [] },
  '/v1/policy': { current: entry, versions: [entry], deciders: [decider] },
  '/v1/settings': { limits: { limits: [] }, approvals: { roles: ['approver'] } },
  '/v1/tools': { tools: [note] },
  '/v1/credentials': { credentials: [] },
};

const stack: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const undo of stack.splice(0).reverse()) await undo();
});

/** Runs doctor against these answers, and returns what it said about one thing. */
async function doctor(answers: Record<string, object>, name: string, ...options: string[]) {
  const ended = await withApi({ status: 200, body: {}, at: { ...healthy, ...answers } }, [
    'doctor',
    '--json',
    ...options,
  ]);
  const { checks } = JSON.parse(ended.stdout);
  return { code: ended.code, check: checks.find((one: Check) => one.check === name) };
}

describe('[P-doctor] doctor says what is wrong and what to do', () => {
  test.each([
    [
      'no policy is in force',
      { '/v1/policy': { versions: [], deciders: [] } },
      { check: 'policy', found: 'none is in force: every call is refused', next: /interlock apply/ },
    ],
    [
      'a decider rejected the policy',
      {
        '/v1/policy': {
          ...{ current: entry, versions: [entry] },
          deciders: [{ ...decider, rejected: [{ as: 'current', version: 3, digest, detail: 'Canary.' }] }],
        },
      },
      {
        check: 'policy',
        found: 'version 3 was rejected. decider-1: Canary.',
        next: /interlock policy rollback/,
      },
    ],
    [
      'a decider uses an older policy',
      {
        '/v1/policy': {
          ...{ current: entry, versions: [entry] },
          deciders: [decider, { ...decider, replica: 'decider-2', current: { version: 2, digest } }],
        },
      },
      { check: 'policy', found: 'decider-2 does not use version 3', next: /interlock logs decider/ },
    ],
    [
      'no decider reports',
      { '/v1/policy': { current: entry, versions: [entry], deciders: [] } },
      { check: 'policy', found: 'no decider has sent its status about version 3', next: /policy status/ },
    ],
    [
      'limits were never applied',
      { '/v1/settings': { approvals: { roles: ['approver'] } } },
      { check: 'limits', found: expect.stringContaining('503'), next: /no limits\.yaml.*interlock apply/ },
    ],
    [
      'approvals were never applied',
      { '/v1/settings': { limits: { limits: [] } } },
      {
        check: 'approvals',
        found: expect.stringContaining('503'),
        next: /no approvals\.yaml.*interlock apply/,
      },
    ],
  ])('%s', async (_, answers, { check, found, next }) => {
    expect(await doctor(answers, check)).toEqual({
      code: 1,
      check: { check, ok: false, found, next: expect.stringMatching(next) },
    });
  });

  test('a credential that nobody set, which stops only the tools that need it', async () => {
    const tools = [{ ...note, credential: { name: 'notes-token', inject: { as: 'bearer' } } }];
    expect((await doctor({ '/v1/tools': { tools } }, 'credentials')).check).toEqual({
      check: 'credentials',
      ok: true,
      found: 'nobody has set notes-token: note cannot be called',
      next: 'Set them: interlock credential set notes-token.',
    });
  });

  test('a credential of applied tools and of files, for each tool once', async () => {
    const config = await mkdtemp(path.join(tmpdir(), 'interlock-doctor-'));
    stack.push(() => rm(config, { recursive: true }));
    await mkdir(path.join(config, 'tools'));
    await writeFile(path.join(config, 'people.yaml'), 'people: [{person: alice, roles: [admin]}]');
    const { target, ...tool } = note;
    const { kind: _, ...http } = target;
    const uses = (name: string) => ({ credential: { name, inject: { as: 'bearer' } } });
    const files = { note: uses('notes-token'), more: uses('more-token') };
    for (const [name, credential] of Object.entries(files))
      await writeFile(
        path.join(config, `tools/${name}.yaml`),
        JSON.stringify({ ...tool, name, http, ...credential }),
      );
    const tools = ['note', 'other'].map((name) => ({ ...note, name, ...uses('notes-token') }));
    const applied = { '/v1/tools': { tools } };
    expect((await doctor(applied, 'credentials', '--config', config)).check).toEqual({
      check: 'credentials',
      ok: true,
      found: expect.stringMatching(
        /^nobody has set notes-token: other cannot be called; tools\/more\.yaml:[^;]+more-token is set: more [^;]+; tools\/note\.yaml:[^;]+notes-token is set: note [^;]+$/,
      ),
      next: 'Set them: interlock credential set notes-token, interlock credential set more-token.',
    });
    expect((await doctor({}, 'credentials', '--config', config)).check).toMatchObject({
      next: 'Set them: interlock credential set more-token, interlock credential set notes-token.',
    });
  });

  test('nothing, where nothing is', async () => {
    const checks = await Promise.all(
      ['policy', 'limits', 'approvals', 'credentials'].map(async (name) => (await doctor({}, name)).check),
    );
    expect(checks).toEqual(checks.map(({ check, found }) => ({ check, ok: true, found })));
  });
});

/** Starts a service's probe, and returns where it is. */
async function probe(checks: Record<string, true | string>): Promise<string> {
  const ready = Object.values(checks).every((held) => held === true);
  const server = createServer((_, response) => {
    response.writeHead(ready ? 200 : 503).end(JSON.stringify({ ready, checks, facts: {} }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.push(async () => {
    server.close();
    await once(server, 'close');
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}

async function checksOf(processes: readonly { name: string; healthUrl?: string }[]): Promise<Check[]> {
  const data = await mkdtemp(path.join(tmpdir(), 'interlock-doctor-'));
  stack.push(() => rm(data, { recursive: true }));
  await writeFile(dataFiles(data).services, JSON.stringify({ processes }));
  return await checkServices(data);
}

describe('[P-doctor] doctor asks every readiness probe', () => {
  test('and names a service that does not answer, and one that has not started', async () => {
    const gone = await probe({ bus: true });
    await stack.splice(0).at(-1)?.();
    expect(await checksOf([{ name: 'limiter', healthUrl: gone }, { name: 'broker' }])).toEqual(
      ['limiter', 'broker'].map((name) => ({
        check: `service ${name}`,
        ok: false,
        found: 'its readiness probe does not answer',
        next: expect.stringContaining(`interlock logs ${name}`),
      })),
    );
  });

  test('and says which server is down, who needs it, and where to look', async () => {
    const processes = [
      { name: 'limiter', healthUrl: await probe({ bus: true, redis: 'Redis does not answer' }) },
      { name: 'auditor', healthUrl: await probe({ bus: 'no NATS for 3 s', mongodb: true }) },
    ];
    expect(await checksOf(processes)).toEqual([
      {
        ...{ check: 'service limiter', ok: false, found: 'redis: Redis does not answer' },
        next: expect.stringContaining('See Redis below.'),
      },
      {
        ...{ check: 'service auditor', ok: false, found: 'bus: no NATS for 3 s' },
        next: expect.stringContaining('See NATS below.'),
      },
      {
        ...{ check: 'NATS', ok: false, found: 'auditor: no NATS for 3 s' },
        next: expect.stringContaining('interlock logs nats-server'),
      },
      {
        ...{ check: 'Redis', ok: false, found: 'limiter: Redis does not answer' },
        next: expect.stringContaining('interlock logs redis-server'),
      },
      { check: 'MongoDB', ok: true, found: 'works for auditor' },
    ]);
  });

  test('also of services in one process', async () => {
    const processes = [
      { name: 'interlock', healthUrl: await probe({ 'limiter.redis': 'no', 'decider.policy': 'none' }) },
    ];
    expect(await checksOf(processes)).toMatchObject([
      { check: 'service interlock', ok: false, found: 'limiter.redis: no; decider.policy: none' },
      { check: 'Redis', ok: false, found: 'limiter: no' },
    ]);
  });
});
