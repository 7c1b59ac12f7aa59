import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeContext } from '@interlock/cli';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { interlock, withApi } from './command.fixture.ts';

const QUICKSTART = path.resolve(import.meta.dirname, '../../../examples/quickstart');
let data = '';
beforeAll(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'interlock-cli-'));
});
afterAll(async () => {
  await rm(data, { recursive: true, force: true });
});

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
      trust: { rootKey: 'x', keyringFile: 'x' },
      people: { alice: 'x' },
      agents: {},
      person: 'alice',
    });
    const gone = await interlock(['tools', '--data', folder]);
    expect(gone).toMatchObject({ code: 3, stderr: expect.stringContaining('interlock: unreachable: ') });
  });

  test('[P-token-console-only] is 3 when another program listens at the port of the console or of ingress, which gets no token', async () => {
    const impostor = { status: 200, body: { tools: [] }, proves: false };
    for (const [service, ...args] of [
      ['console', 'tools'],
      ['ingress', 'call', 'note', '{}'],
    ]) {
      const { code, stderr, asked } = await withApi(impostor, args);
      expect({ code, tokens: asked.map(({ token }) => token) }).toEqual({ code: 3, tokens: [undefined] });
      expect(stderr).toContain(`did not prove that it is the ${service} of this installation`);
    }
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

describe('audit show', () => {
  test.each([
    [
      'policy_default',
      'decider',
      'No rule allows this call. The narrowest grant for it: interlock policy explain c_1',
    ],
    ['policy_denied', 'decider', 'what would change that: interlock policy explain c_1'],
    ['rate_limited', 'limiter', undefined],
  ])(
    '[P-policy-explain] of a call that was refused as %s by the %s points to its explanation where there is one',
    async (code, by, pointer) => {
      const record = {
        ...{ stream: 'LEDGER', sequence: 7, step: 'refused', call: 'c_1', tenant: 'acme', at: 1 },
        hash: 'b'.repeat(64),
        event: { by, code, detail: 'No.' },
      };
      const { code: ended, stdout } = await withApi({ status: 200, body: { records: [record] } }, [
        'audit',
        'show',
        'c_1',
      ]);
      expect(ended).toBe(0);
      if (pointer === undefined) expect(stdout).not.toContain('policy explain');
      else expect(stdout).toContain(pointer);
    },
  );
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
