import { describe, expect, test } from 'vitest';
import { withApi } from './command.fixture.ts';

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

  test('[P-approval-ending] says that the answer counted where its ending cannot be read, and ends with 0', async () => {
    const at = { '/v1/approvals/default/c_1': {} };
    const { code, stdout } = await withApi({ ...api, at }, ['approve', 'c_1', '--as', 'bob', '--yes']);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout:
        'c_1 was approved by bob. What became of the call is not recorded yet: see interlock audit show.\n',
    });
  });

  test('[P-approval-ending] asks once a second how the call ended', async () => {
    const path = '/v1/approvals/default/c_1';
    const settled = api.at[path];
    let settledAtMs: number | undefined;
    const at = {
      get [path]() {
        settledAtMs ??= performance.now() + 500;
        return performance.now() < settledAtMs ? { ...settled, ending: { step: 'started' } } : settled;
      },
    };
    const { code, asked } = await withApi({ ...api, at }, ['approve', 'c_1', '--as', 'bob', '--yes']);
    expect({ code, asked: asked.filter(({ url }) => url === path).map(({ method }) => method) }).toEqual({
      code: 0,
      asked: ['POST', 'GET', 'GET'],
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

  test.each([[[]], [['--json']]])(
    'whose name cannot be looked up shows what is set, and warns: %s',
    async (json) => {
      const list = { switches: [{ key: 'tool.pay', ...on }] };
      const api = { status: 200, body: list, at: { '/v1/tools': {} } };
      const { code, stdout, stderr } = await withApi(api, ['kill', '--tool', 'pay', ...json]);
      expect(code).toBe(0);
      expect(stdout).toContain('tool.pay');
      if (json.length > 0) expect(JSON.parse(stdout)).toEqual(list);
      expect(stderr).toMatch(/warning: .* whether any tool has that name/);
    },
  );

  test('that is turned off looks no name up, and ends with 0', async () => {
    const api = { status: 200, body: { switches: [] }, at };
    const { code, stderr, asked } = await withApi(api, ['kill', '--tool', 'pya', '--off']);
    expect({ code, stderr, methods: asked.map(({ method }) => method) }).toEqual({
      ...{ code: 0, stderr: '', methods: ['POST'] },
    });
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
