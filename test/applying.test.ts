/** Applying a configuration to a line that runs: what is shown, asked and warned about before and after. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { services } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { runCommand } from './command.ts';
import { type Line, startLine } from './line.ts';

const START_MS = 120_000;
const TEST_MS = 90_000;
const LIMIT = { name: 'calls', per: ['agent'], concurrency: 64 };

let line: Line;
beforeAll(async () => {
  line = await startLine({ limits: [LIMIT] });
  await write('policies/rules/own/own.rego', OWN_RULE);
  expect(await apply('--yes')).toMatchObject({ code: 0 });
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

const OWN_RULE =
  'package interlock.rules.own\n\nimport rego.v1\n\ndeny contains "Own." if input.tool.name == "bare"\n';
const apply = (...argv: string[]) => runCommand(line, 'apply', ...argv);

async function write(name: string, content: string | object): Promise<void> {
  const file = path.join(line.config, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content, null, 2));
}

/** Changes the folder for one test. */
async function changed(names: readonly string[], change: () => Promise<void>, run: () => Promise<void>) {
  const before = await Promise.all(names.map((name) => readFile(path.join(line.config, name), 'utf8')));
  try {
    await change();
    await run();
  } finally {
    for (const [index, name] of names.entries()) await write(name, before[index] ?? '');
  }
}

/** Everything that applying changes. */
async function state() {
  const alice = line.person('alice');
  const [tools, people, agents, policy] = await Promise.all(
    ['/v1/tools', '/v1/people', '/v1/agents', '/v1/policy'].map(async (at) => (await alice.get(at)).body),
  );
  const { versions } = JSON.parse(JSON.stringify(policy));
  const own = ['context.json', 'executor-commands.json'].map((name) =>
    readFile(path.join(line.interlock.data, name), 'utf8'),
  );
  return { tools, people, agents, versions, own: await Promise.all(own) };
}

test(
  '[P-apply-plan] --dry-run prints what would change, also in the policy, and changes nothing',
  async () => {
    const files = ['tools/slow.yaml', 'people.yaml', 'policies/data.yaml'];
    const change = async () => {
      await rm(path.join(line.config, 'tools/slow.yaml'));
      await write('people.yaml', {
        people: [
          { person: 'alice', roles: ['admin', 'operator', 'approver'] },
          { person: 'carol', roles: ['approver'] },
        ],
      });
      await write('policies/data.yaml', {
        config: { allow_listed: [{ tenants: ['acme'], tools: ['read'] }], hours: [] },
      });
    };
    await changed(files, change, async () => {
      const before = await state();
      expect(await apply('--dry-run')).toMatchObject({
        code: 0,
        result: {
          dryRun: true,
          created: ['person/carol'],
          changed: ['policy/current'],
          removed: ['tool/slow', 'person/bob'],
          policy: { data: { added: ['config.hours'], changed: ['config.allow_listed'] } },
          emptied: [],
        },
      });
      expect(await state()).toEqual(before);
    });
  },
  TEST_MS,
);

describe('[P-removal-asked] removing everything of a kind', () => {
  const names = ['ask', 'bare', 'idem', 'read', 'slow', 'write'];
  test(
    'names all tools, limits, own rules and grants, and needs --yes without a terminal',
    async () => {
      const files = [
        ...names.map((name) => `tools/${name}.yaml`),
        ...['limits.yaml', 'policies/data.yaml', 'policies/rules/own/own.rego'],
      ];
      const change = async () => {
        await rm(path.join(line.config, 'tools'), { recursive: true });
        await rm(path.join(line.config, 'policies/rules'), { recursive: true });
        await write('limits.yaml', { limits: [] });
        await write('policies/data.yaml', { config: {} });
      };
      await changed(files, change, async () => {
        const before = await state();
        const refused = await apply();
        expect(refused.code).toBe(1);
        expect(refused.stderr).toContain(`tools (6): ${names.join(', ')}`);
        expect(refused.stderr).toContain('limits (1): calls');
        expect(refused.stderr).toContain('rules of your own (1): own');
        expect(refused.stderr).toContain('grants in config.allow_listed (1)');
        expect(refused.stderr).toMatch(/interlock: not_confirmed: .*Nothing was done\.\n.*--yes/);
        expect(await state()).toEqual(before);
        expect(await apply('--yes')).toMatchObject({
          code: 0,
          result: { removed: names.map((name) => `tool/${name}`) },
        });
      });
      expect(await apply()).toMatchObject({ code: 0 });
    },
    TEST_MS,
  );
});

test(
  '[P-credential-unset] a tool whose credential nobody has set is named with its line and the command that sets it',
  async () => {
    const tool = JSON.parse(await readFile(path.join(line.config, 'tools/bare.yaml'), 'utf8'));
    const credential = { name: 'nobody-set', inject: { as: 'bearer' } };
    const warning =
      /tools\/bare\.yaml:\d+:\d+: \/credential: no credential nobody-set is set: bare cannot be called until interlock credential set nobody-set/;
    await changed(
      ['tools/bare.yaml'],
      () => write('tools/bare.yaml', { ...tool, credential }),
      async () => {
        expect((await apply('--dry-run')).stderr).toMatch(warning);
        expect((await apply()).stderr).toMatch(warning);
        const { result } = await runCommand(line, 'doctor');
        expect(doctorSchema.parse(result).checks.find(({ check }) => check === 'credentials')).toMatchObject({
          found: expect.stringMatching(warning),
          next: 'Set them: interlock credential set nobody-set.',
        });
        await line.person('alice').put('/v1/credentials/nobody-set', { value: 'x' });
        expect((await apply()).stderr).not.toContain('nobody-set');
      },
    );
  },
  TEST_MS,
);

test(
  '[P-discover-command] the tools of an MCP server are looked at while no executor runs',
  async () => {
    const connection = {
      transport: 'stdio',
      command: 'mcp-server-filesystem',
      args: ['./files'],
      mounts: [{ path: './files' }],
    };
    await mkdir(path.join(line.config, 'files'), { recursive: true });
    await write('tools/files.yaml', { mcp: { server: 'files', connection, tools: { read_text_file: {} } } });
    line.interlock.signal('executor', 'SIGSTOP');
    try {
      const refused = await apply();
      expect(refused.stderr).toContain('The configuration starts a program on this machine');
      expect(refused.stderr).toContain('not_confirmed');
      expect(await apply('--yes')).toMatchObject({ code: 0, result: { created: ['tool/read_text_file'] } });
    } finally {
      line.interlock.signal('executor', 'SIGCONT');
      await rm(path.join(line.config, 'tools/files.yaml'));
    }
  },
  TEST_MS,
);

test(
  '[P-doctor] doctor asks every service of the installation, and names the one that hangs',
  async () => {
    const asked = async () => {
      const { code, result } = await runCommand(line, 'doctor');
      const { checks } = doctorSchema.parse(result);
      return { code, wrong: checks.filter(({ ok }) => !ok), names: checks.map(({ check }) => check) };
    };
    const before = await eventually(async () => {
      const now = await asked();
      return now.code === 0 && now;
    }, TEST_MS);
    expect(before.wrong).toEqual([]);
    expect(before.names).toEqual(
      expect.arrayContaining([
        ...services.map((service) => `service ${service}`),
        ...['NATS', 'Redis', 'MongoDB', 'policy', 'limits', 'approvals', 'credentials', 'configuration'],
      ]),
    );
    line.interlock.signal('limiter', 'SIGSTOP');
    try {
      const { code, wrong } = await asked();
      expect(code).toBe(1);
      expect(wrong).toContainEqual({
        ...{ check: 'service limiter', ok: false, found: 'its readiness probe does not answer' },
        next: expect.stringContaining('interlock logs limiter'),
      });
    } finally {
      line.interlock.signal('limiter', 'SIGCONT');
    }
  },
  TEST_MS,
);

const doctorSchema = z.object({
  checks: z.array(
    z.object({ check: z.string(), ok: z.boolean(), found: z.string(), next: z.string().optional() }),
  ),
});
