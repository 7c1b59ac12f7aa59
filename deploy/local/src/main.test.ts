import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { writeContext } from '@interlock/cli';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const MAIN = path.join(import.meta.dirname, 'main.ts');
const QUICKSTART = path.resolve(import.meta.dirname, '../../../examples/quickstart');
let data = '';
beforeAll(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'interlock-cli-'));
});
afterAll(async () => {
  await rm(data, { recursive: true, force: true });
});

async function interlock(args: string[], input = '') {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: 'pipe' });
  child.stdin.end(input);
  const ended = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await ended;
  return { code, stdout, stderr };
}

/** Runs the command against an API that answers all alike, or what is posted or at some paths otherwise. Returns what it was asked. */
async function withApi(
  answer: { status: number; body: object; posted?: object; at?: Record<string, object> },
  args: string[],
  input = '',
) {
  const asked: {
    method: string | undefined;
    url: string | undefined;
    token: string | undefined;
    body: string;
  }[] = [];
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    asked.push({ method, url, token: headers.authorization, body: await text(request) });
    response
      .writeHead(answer.status, { 'content-type': 'application/json' })
      .end(
        JSON.stringify(
          method === 'POST' ? (answer.posted ?? answer.body) : (answer.at?.[url ?? ''] ?? answer.body),
        ),
      );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const folder = await mkdtemp(path.join(data, 'client-'));
  const url = `http://127.0.0.1:${port}`;
  await writeContext(folder, {
    ingress: url,
    console: url,
    people: { alice: 'ilp_alice', bob: 'ilp_bob' },
    agents: { 'default/helper': { keyId: 'key_1', key: 'ilk_helper', notAfter: 1 } },
    person: 'alice',
  });
  try {
    return { ...(await interlock([...args, '--data', folder], input)), asked };
  } finally {
    server.close();
  }
}

describe('the exit code', () => {
  test('is 2 when the command line is wrong', async () => {
    expect(await interlock(['fly'])).toMatchObject({ code: 2, stderr: expect.stringContaining('fly') });
    expect(await interlock(['call'])).toMatchObject({ code: 2, stderr: expect.stringContaining('tool') });
    expect(await interlock(['call', 'note', 'no json', '--data', data])).toMatchObject({ code: 2 });
  });

  test('is 3 when Interlock cannot be reached', async () => {
    expect(await interlock(['tools', '--data', data])).toEqual({
      code: 3,
      stdout: '',
      stderr: expect.stringMatching(/^interlock: not_running: .*\n {2}Start it with interlock up/),
    });
    const folder = await mkdtemp(path.join(data, 'gone-'));
    await writeContext(folder, {
      console: 'http://127.0.0.1:9',
      people: { alice: 'x' },
      agents: {},
      person: 'alice',
    });
    const gone = await interlock(['tools', '--data', folder]);
    expect(gone).toMatchObject({ code: 3, stderr: expect.stringContaining('interlock: unreachable: ') });
  });

  test('is 1 when the request is refused, and the reason is one line with the next step', async () => {
    const body = {
      type: 'urn:interlock:problem:policy_denied',
      title: 'Policy does not allow this call.',
      status: 403,
      detail: 'Not to this address.',
      code: 'policy_denied',
      rule: 'blocked_tools',
      call: 'call_1',
      next: 'Do something else.',
    };
    const refused = await withApi({ status: 403, body }, ['call', 'send', '{}']);
    expect(refused).toMatchObject({
      code: 1,
      stderr:
        'interlock: policy_denied: Not to this address. (rule blocked_tools, call call_1)\n  Do something else.\n',
    });
  });

  test('is 1 when the call was made and failed', async () => {
    const failed = await withApi({ status: 200, body: { call: 'call_1', outcome: 'failed' } }, [
      'call',
      'send',
      '{}',
    ]);
    expect(failed).toMatchObject({ code: 1, stdout: expect.stringContaining('failed') });
    const done = await withApi({ status: 200, body: { call: 'call_1', outcome: 'succeeded' } }, [
      'call',
      'send',
      '{}',
    ]);
    expect(done.code).toBe(0);
  });
});

describe('a configuration mistake', () => {
  test('[P-config-mistake] stops the start before anything is started, with file, line and column', async () => {
    const config = await mkdtemp(path.join(data, 'config-'));
    await writeFile(path.join(config, 'people.yaml'), 'people:\n  - person: alice\n    roles: admin\n');
    const { code, stderr } = await interlock(['up', '--config', config]);
    expect(code).toBe(1);
    expect(stderr).toContain(
      'interlock: configuration_invalid: people.yaml:3:12: /people/0/roles: expected array',
    );
    expect(await readdir(config)).toEqual(['people.yaml']);
  });

  test('[P-mcp-listed] up starts no program that nobody agreed to, and shows which it would be', async () => {
    const own = await mkdtemp(path.join(data, 'data-'));
    const { code, stderr } = await interlock(['up', '--config', QUICKSTART, '--data', own]);
    expect(code).toBe(1);
    expect(stderr).toContain(`mcp-server-filesystem ${path.join(QUICKSTART, 'files')}`);
    expect(stderr).toContain('interlock: not_confirmed: ');
    expect(await readdir(own)).not.toContain('nats');
  });
});

describe('policy test', () => {
  test('[P-policy-tested] warns of a file of cases that is not read because of its folder', async () => {
    const policies = await mkdtemp(path.join(data, 'policies-'));
    await writeFile(path.join(policies, 'data.yaml'), 'config: {}\n');
    const misplaced = path.join(policies, 'limits_cases.yaml');
    await writeFile(misplaced, 'cases: []\n');
    const { code, stdout } = await interlock(['policy', 'test', policies, '--run', 'allow_listed']);
    expect(code).toBe(0);
    expect(stdout).toContain(`WARNING  ${misplaced} was not read`);
  });
});

describe('audit search', () => {
  const search = ['audit', 'search', '--step', 'refused'];

  test('takes a duration, a date and milliseconds, and asks the console for these instants', async () => {
    const answer = { status: 200, body: { records: [] } };
    const before = Date.now();
    const { asked, code } = await withApi(answer, [...search, '--since', '1h']);
    expect(code).toBe(0);
    const [, since = ''] =
      /^\/v1\/audit\/search\?step=refused&since=(\d{13})$/.exec(asked[0]?.url ?? '') ?? [];
    expect(Number(since)).toBeGreaterThanOrEqual(before - 3_600_000);
    const span = ['--since', '2026-01-31', '--until', '1769860800000'];
    const dated = await withApi(answer, [...search, ...span]);
    expect(dated.asked).toMatchObject([
      { url: '/v1/audit/search?step=refused&since=1769817600000&until=1769860800000' },
    ]);
  });

  test('refuses what is no time, and asks nothing', async () => {
    const refused = await withApi({ status: 200, body: {} }, [...search, '--since', 'yesterday']);
    expect(refused).toMatchObject({
      code: 2,
      asked: [],
      stderr: expect.stringContaining('"yesterday" is not a time.'),
    });
  });
});

describe('secrets', () => {
  test('of a credential come from standard input, without the last line break, and are not shown', async () => {
    const set = await withApi(
      { status: 200, body: { name: 'token', setAt: 1 } },
      ['credential', 'set', 'token'],
      's3cret \n',
    );
    expect(set.asked).toMatchObject([
      { method: 'PUT', url: '/v1/credentials/token', body: '{"value":"s3cret "}' },
    ]);
    expect(set.stdout + set.stderr).not.toContain('s3cret');
  });

  test('are refused when there are none', async () => {
    expect(await withApi({ status: 200, body: {} }, ['credential', 'set', 'token'], '\n')).toMatchObject({
      code: 2,
      asked: [],
    });
  });

  test('of the person who is named are used', async () => {
    const { asked } = await withApi({ status: 200, body: { switches: [] } }, ['kill', '--as', 'bob']);
    expect(asked).toMatchObject([{ method: 'GET', token: 'Bearer ilp_bob' }]);
  });
});

describe('[P-approval-shown] approve', () => {
  const digest = 'd'.repeat(64);
  const approvals = [
    {
      ...{ tenant: 'default', agent: 'helper', user: 'ada', session: 'ses_1', call: 'c_1', tool: 'pay' },
      ...{ toolVersion: digest, argumentsDigest: digest, callDigest: digest, questionDigest: digest },
      reasons: [{ rule: 'amount_cap', text: 'Too much.' }],
      purpose: 'small\n  digest of the question 0000\n\u202eyes',
      ...{ roles: ['approver'], separateDuties: false, askedAt: 1, expiresAt: 2 },
      arguments: { amount: 99, 'x\n  asked by nobody': '\u200b' },
    },
  ];
  const api = {
    status: 200,
    body: { approvals, unreadable: [], more: 0 },
    posted: { tenant: 'default', call: 'c_1', state: 'approved', person: 'bob' },
    at: {
      '/v1/approvals/default/c_1': {
        ...{ tenant: 'default', call: 'c_1', state: 'approved' },
        ending: { step: 'settled', outcome: 'succeeded' },
      },
    },
  };

  test('without a terminal sends no answer unless --yes says so', async () => {
    const { code, stderr, asked } = await withApi(api, ['approve', 'c_1', '--as', 'bob'], 'y\n');
    expect({ code, methods: asked.map(({ method }) => method) }).toEqual({ code: 1, methods: ['GET'] });
    expect(stderr).toContain(`digest of the question ${digest}`);
    expect(stderr).toContain('not_confirmed');
  });

  test('shows the facts, then what the agent wrote, before it takes the answer', async () => {
    const { code, stderr, stdout, asked } = await withApi(api, ['approve', 'c_1', '--as', 'bob', '--yes']);
    expect({ code, methods: asked.map(({ method }) => method) }).toMatchObject({ code: 0 });
    expect(JSON.parse(asked[1]?.body ?? '')).toMatchObject({ verdict: 'approve', questionDigest: digest });
    const lines = stderr.trimEnd().split('\n');
    const written = lines.filter((line) => line.startsWith('  │ '));
    expect(lines.filter((line) => line.startsWith('  digest of the question'))).toHaveLength(1);
    expect(written.join('')).toContain('"small\\n  digest of the question 0000\\n\\u202eyes"');
    expect(stderr).not.toContain('\u202e');
    expect(stdout).toBe('c_1 was approved by bob. The call succeeded.\n');
  });

  test('[P-approval-ending] says that the call was refused all the same, and ends with 1', async () => {
    const ending = { step: 'refused', code: 'limit_exceeded', detail: 'The\nbudget is spent.' };
    const at = { '/v1/approvals/default/c_1': { tenant: 'default', call: 'c_1', state: 'approved', ending } };
    const { code, stdout } = await withApi({ ...api, at }, ['approve', 'c_1', '--as', 'bob', '--yes']);
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout:
        'c_1 was approved by bob. The call was refused all the same: limit_exceeded: The budget is spent.\n',
    });
  });

  test('is what `approvals` shows in the same words', async () => {
    const { stdout } = await withApi(api, ['approvals', '--as', 'bob']);
    expect(stdout).toContain('\\u200b');
    expect(stdout.split('\n').filter((line) => /^ {2}asked by/.test(line))).toHaveLength(1);
  });
});

describe('[P-kill-names] kill', () => {
  const on = { on: true, by: 'bob', at: 1, stored: true };
  const tool = {
    ...{ name: 'pay', description: 'Pays.', labels: [], inputSchema: {} },
    target: {
      ...{ kind: 'http', method: 'GET', url: 'https://a.example/' },
      egress: { allow: ['a.example'] },
    },
  };
  const agent = { tenant: 'acme', agent: 'clerk', user: 'ada', roles: [], keys: [] };
  const caps = { ratePerSecond: 1, burst: 1, inFlight: 1 };
  const at = {
    '/v1/tools': { tools: [tool] },
    '/v1/agents': { agents: [{ ...agent, caps }] },
    '/v1/credentials': { credentials: [{ name: 'token', setAt: 1 }] },
  };

  test.each([
    ['--tool', 'pya', 'No tool has the name pya; did you mean pay?'],
    ['--agent', 'acme/clrek', 'No agent has the name acme/clrek; did you mean acme/clerk?'],
    ['--tenant', 'acne', 'No tenant has the name acne; did you mean acme?'],
    ['--credential', 'tokne', 'No credential has the name tokne; did you mean token?'],
    ['--tool', 'something_else', 'No tool has the name something_else.'],
  ])('of a name that nothing has says so, and ends with 1: %s %s', async (kind, name, said) => {
    const api = { status: 200, body: { switches: [{ key: `${kind}.${name}`, ...on }] }, at };
    const { code, stderr, asked } = await withApi(api, ['kill', kind, name]);
    expect({ code, method: asked[0]?.method }).toEqual({ code: 1, method: 'POST' });
    expect(stderr).toContain(said);
  });

  test.each([
    ['--tool', 'pay'],
    ['--agent', 'acme/clerk'],
    ['--tenant', 'acme'],
    ['--credential', 'token'],
    ['--all'],
  ])('of what exists ends with 0: %s %s', async (...target) => {
    const api = { status: 200, body: { switches: [{ key: 'x', ...on }] }, at };
    const { code, stderr } = await withApi(api, ['kill', ...target.filter((one) => one !== undefined)]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
});

test('control characters in what an agent wrote do not reach the terminal', async () => {
  const body = { call: 'call_1', outcome: 'succeeded', result: '\u001b[2Jgone' };
  const { stdout } = await withApi({ status: 200, body }, ['call', 'read', '{}']);
  expect(stdout).toContain('gone');
  expect(stdout).not.toContain('\u001b');
});

test('[P-installation-commands] logs prints no control character that a process wrote', async () => {
  const folder = await mkdtemp(path.join(data, 'logs-'));
  await mkdir(path.join(folder, 'logs'));
  await writeFile(path.join(folder, 'logs', 'executor.log'), 'before\u001b[2Jafter\n');
  const { code, stdout } = await interlock(['logs', '--data', folder]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'executor  before\\u001b[2Jafter\n' });
});

describe('--help', () => {
  test('lists the commands and the exit codes', async () => {
    const { code, stdout } = await interlock(['--help']);
    expect(code).toBe(0);
    for (const name of [
      'init',
      'up',
      'down',
      'logs',
      'keys',
      'apply',
      'call',
      'agent',
      'credential',
      'approve',
      'policy',
      'audit',
      'trace',
      'kill',
      'doctor',
    ])
      expect(stdout).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
    expect(stdout).toContain(
      'Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 Interlock cannot be reached.',
    );
  });

  test.each([
    ['init'],
    ['up'],
    ['down'],
    ['logs'],
    ['keys'],
    ['apply'],
    ['call'],
    ['agent', 'create'],
    ['policy', 'test'],
    ['audit', 'search'],
    ['kill'],
  ])('of %s %s has an example and --json', async (...args) => {
    const { code, stdout } = await interlock([...args.filter((arg) => arg !== undefined), '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('Example:\n  $ interlock ');
    expect(stdout).toContain('--json');
  });
});

describe('[P-mcp-pinned] tools pin', () => {
  const [pinnedDigest, definitionDigest] = ['a'.repeat(64), 'b'.repeat(64)];
  const tool = {
    name: 'files_read',
    description: 'Reads \u001b[2J everything.',
    inputSchema: { type: 'object' },
    target: {
      kind: 'mcp',
      server: 'files',
      name: 'read',
      connection: { transport: 'stdio', command: 'files' },
      definitionDigest,
      pinnedDigest,
    },
  };

  test('prints the definition to accept, and accepts nothing', async () => {
    const answer = { status: 200, body: { tools: [tool] } };
    const { asked, stdout } = await withApi(answer, ['tools', 'pin', 'files_read']);
    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual(['GET /v1/tools']);
    for (const shown of [pinnedDigest, definitionDigest, 'everything.', `--digest ${definitionDigest}`])
      expect(stdout).toContain(shown);
    expect(stdout).not.toContain('\u001b');
  });

  test('accepts the definition with the digest it is given', async () => {
    const answer = { status: 200, body: tool };
    const args = ['tools', 'pin', 'files_read', '--digest', definitionDigest, '--json'];
    const { asked, stdout } = await withApi(answer, args);
    expect(asked).toMatchObject([
      { method: 'POST', url: '/v1/tools/files_read/pin', body: JSON.stringify({ definitionDigest }) },
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ name: 'files_read' });
  });
});

describe('[P-emergency] policy break-glass', () => {
  const glass = ['policy', 'break-glass', 'acme/helper'];

  test.each([
    ['without a reason', [...glass, '--tools', 'pay', '--for', '30m']],
    ['without an end', [...glass, '--tools', 'pay', '--reason', 'fire']],
    ['for more than four hours', [...glass, '--tools', 'pay', '--reason', 'fire', '--for', '241m']],
    ['for no tool', [...glass, '--reason', 'fire', '--for', '30m']],
    ['for nobody', ['policy', 'break-glass', '--tools', 'pay', '--reason', 'fire', '--for', '30m']],
    ['and ended at once', [...glass, '--tools', 'pay', '--reason', 'fire', '--for', '30m', '--end']],
  ])('is not broken %s', async (_, args) => {
    const { asked, code } = await withApi({ status: 200, body: { emergencies: [] } }, args);
    expect({ asked, code }).toEqual({ asked: [], code: 2 });
  });

  test('requests the tools and the duration it was given, as the person who acts', async () => {
    const args = [...glass, '--tools', 'pay,refund', '--reason', 'fire', '--for', '4h', '--as', 'bob'];
    const { asked } = await withApi({ status: 200, body: { emergencies: [] } }, args);
    expect(asked).toMatchObject([{ method: 'POST', url: '/v1/emergencies', token: 'Bearer ilp_bob' }]);
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({
      tenant: 'acme',
      agent: 'helper',
      tools: ['pay', 'refund'],
      reason: 'fire',
      forMs: 4 * 3_600_000,
    });
  });
});
