import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { configurationAround } from './configuration-around.ts';
import { ConfigurationFailure, issueText, loadConfiguration } from './load-configuration.ts';

const DEMO = path.resolve(import.meta.dirname, '../../../examples/demo/configuration');

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'interlock-names-'));
  await cp(DEMO, folder, { recursive: true });
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(name: string, text: string): Promise<void> {
  await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
  await writeFile(path.join(folder, name), text);
}

async function edit(name: string, from: string, to: string): Promise<void> {
  const file = path.join(folder, name);
  const text = await readFile(file, 'utf8');
  expect(text).toContain(from);
  await writeFile(file, text.replace(from, to));
}

/** Returns what loading the folder refuses and what it warns about, a line each. */
async function found(): Promise<{ refused: string[]; warned: string[] }> {
  try {
    const { warnings } = await loadConfiguration(folder);
    return { refused: [], warned: warnings.map(issueText) };
  } catch (error) {
    if (error instanceof ConfigurationFailure) return { refused: error.issues.map(issueText), warned: [] };
    throw error;
  }
}

/** Settings below `config`, beside a grant that covers something, so that line 9 is their first. */
async function settings(text: string): Promise<void> {
  const grant = [
    '    - tenants: [acme]',
    '      roles: [bookkeeping]',
    '      tools: [pay]',
    '      where:',
    '        - { at: /payee, equals: Contoso }',
  ];
  await write(
    'policies/data.yaml',
    ['config:', '  allow_listed:', ...grant, '  zones: [Europe/Berlin]', text, ''].join('\n'),
  );
}

test('[P-config-names] the examples are taken without a warning', async () => {
  expect(await found()).toEqual({ refused: [], warned: [] });
  folder = await mkdtemp(path.join(tmpdir(), 'interlock-names-'));
  await cp(path.resolve(DEMO, '../../quickstart'), folder, { recursive: true });
  expect(await found()).toEqual({ refused: [], warned: [] });
});

describe('[P-config-names] a name that nothing has is refused, with its line and what was meant, in the setting', () => {
  test.each([
    [
      'amount_cap',
      '  amount_cap: [{tools: [pya], deny_above: 9}]',
      'there is no tool pya; did you mean pay?',
    ],
    ['hours', '  hours: [{tools: [payy], zone: Europe/Berlin, open: []}]', 'no tool payy; did you mean pay?'],
    [
      'hours of a zone',
      '  hours: [{tools: [pay], zone: Europe/Bern, open: []}]',
      'time zone Europe/Bern; did you mean',
    ],
    [
      'a budget for a day',
      '  amount_cap: [{tools: [pay], budgets: [{name: a, amount: 9, per: [agent], day: Europe/Bern}]}]',
      'time zone Europe/Bern; did you mean',
    ],
    ['blocked_tools', '  blocked_tools: [{tools: [delete_all]}]', 'there is no tool delete_all'],
    [
      'blocked_tools by agent',
      '  blocked_tools: [{tools: [pay], agents: [clrek]}]',
      'agent clrek; did you mean clerk?',
    ],
    ['break_glass', '  break_glass: {never: [pya]}', 'there is no tool pya'],
    ['first_use_asks', '  first_use_asks: {tools: [pya]}', 'there is no tool pya'],
    ['origin_allowed', '  origin_allowed: [{agents: [clrk], networks: []}]', 'did you mean clerk?'],
    ['path_arguments', '  path_arguments: {files_read_txt_file: {}}', 'did you mean files_read_text_file?'],
    ['shell_arguments', '  shell_arguments: {pya: {}}', 'there is no tool pya'],
    ['sql_arguments', '  sql_arguments: {pya: {}}', 'there is no tool pya'],
    ['templates', '  templates: {pya: []}', 'there is no tool pya'],
    [
      'templates at a pointer',
      '  templates: {pay: [{at: /refrence, any_of: []}]}',
      'did you mean reference?',
    ],
    ['server_values', '  server_values: {tools: {pya: []}}', 'there is no tool pya'],
    [
      'server_values at a pointer',
      '  server_values: {tools: {pay: [{at: /paye, is: x}]}}',
      'did you mean payee?',
    ],
    ['volume_caps', '  volume_caps: [{tools: [pya], counts: /amount}]', 'there is no tool pya'],
    ['volume_caps at a pointer', '  volume_caps: [{tools: [pay], counts: /amuont}]', 'did you mean amount?'],
    ['production_asks', '  production_asks: {labels: [write]}', 'no label write; did you mean writes?'],
    ['risk_score', '  risk_score: {signals: {labels: {spend: 9}}}', 'no label spend; did you mean spends?'],
    [
      'a rule that does not exist',
      '  amount_caps: []',
      'no rule reads the setting amount_caps; did you mean amount_cap?',
    ],
  ])('%s', async (_, text, expected) => {
    await settings(text);
    const { refused } = await found();
    expect(refused).toEqual([expect.stringContaining(expected)]);
    expect(refused[0]).toMatch(/^policies\/data\.yaml:9:\d+: \/config\//);
  });
});

describe('[P-config-names] a name is refused', () => {
  test('in data.json as in data.yaml', async () => {
    await write('policies/data.json', '{"config": {"hours": [{"tools": ["payy"], "open": []}]}}');
    expect((await found()).refused).toEqual([
      expect.stringMatching(/^policies\/data\.json:1:\d+: \/config\/hours\/0\/.*did you mean pay\?/),
    ]);
  });

  test('in Rego of the folder’s own, wherever it is compared with a tool or its labels', async () => {
    const rego = [
      'package interlock.rules.own',
      '',
      '# input.tool.name == "nothing" in a comment is text.',
      'deny contains "No." if input.tool.name == "pya"',
      'deny contains "No." if "list_paymnts" == input.tool.name',
      'deny contains "No." if input.tool.name in {"pay", "pyy"}',
      'deny contains "No." if "destrutive" in input.tool.labels',
      'deny contains "No." if { input.tool.name != "pay"; "spends" in input.tool.labels }',
    ];
    await write('policies/rules/own/own.rego', `${rego.join('\n')}\n`);
    expect((await found()).refused).toEqual([
      'policies/rules/own/own.rego:4:24: there is no tool pya; did you mean pay?',
      'policies/rules/own/own.rego:5:24: there is no tool list_paymnts; did you mean list_payments?',
      'policies/rules/own/own.rego:6:24: there is no tool pyy; did you mean pay?',
      'policies/rules/own/own.rego:7:24: there is no label destrutive; did you mean destructive?',
    ]);
  });

  test('in a time zone that no machine knows', async () => {
    await edit('policies/data.yaml', 'config:', 'config:\n  zones: [Europe/Berln]');
    expect((await found()).refused).toEqual([
      expect.stringMatching(/^policies\/data\.yaml:3:\d+: .*did you mean Europe\/Berlin\?/),
    ]);
  });

  test('in a limit and in a rule of approvals', async () => {
    await edit('limits.yaml', 'tool: list_payments', 'tool: list_paymets');
    await write('approvals.yaml', 'roles: [approver]\nrules:\n  - tool: pya\n    expiresMs: 5000\n');
    expect((await found()).refused).toEqual([
      expect.stringMatching(/^limits\.yaml:9:.*did you mean list_payments\?/),
      expect.stringMatching(/^approvals\.yaml:3:.*did you mean pay\?/),
    ]);
  });

  test.each([
    ['spends: /amount', 'spends: /amout', 'no argument /amout; did you mean amount?'],
    ['8091/payments\n', '8091/payments/{payeee}\n', 'no argument /payeee; did you mean payee?'],
    ['  method: POST', '  method: POST\n  body: [amont]', 'no argument /amont; did you mean amount?'],
    ['  method: POST', '  method: POST\n  query: { r: "{refer}" }', 'no argument /refer'],
    ['  method: POST', '  method: POST\n  headers: { x-r: "{refer}" }', 'no argument /refer'],
    ['spends: /amount', 'spends: /amount\nparse: [{ at: /payees, as: url }]', 'no argument /payees'],
    ['allow: ["http://127.0.0.1:8091"]', 'allow: ["http://127.0.0.1:8092"]', 'could not reach its own URL'],
  ])('in a tool that its own schema or egress lacks: %s -> %s', async (from, to, expected) => {
    await edit('tools/pay.yaml', from, to);
    expect((await found()).refused).toEqual([expect.stringContaining(expected)]);
  });

  test('in two tools of different files', async () => {
    await edit('tools/pay.yaml', 'name: pay', 'name: list_payments');
    await settings('');
    await edit('policies/data.yaml', 'tools: [pay]', 'tools: [list_payments]');
    await edit('policies/data.yaml', 'where:\n        - { at: /payee, equals: Contoso }', 'where: []');
    expect((await found()).refused).toEqual([
      expect.stringContaining('already defines the tool list_payments'),
    ]);
  });
});

test.each([
  'policies/data.yml',
  'policies/config/data.json',
  'policies/config/amount_cap/data.yaml',
  'policies/rules/own/data.yaml',
])('[P-config-mistake] data that no bundle would have is refused: %s', async (file) => {
  await write(file, '{}\n');
  const text = 'only policies/data.yaml and policies/data.json are part of the policy';
  expect((await found()).refused).toEqual([`${file}:1:1: another place for this data: ${text}`]);
});

describe('[P-config-names] what can only refuse calls is warned about', () => {
  test.each([
    ['a tool that is excepted', '  destructive_asks: {except: [pya]}', 'there is no tool pya'],
    ['a user', '  sends_external_asks: {self: {alcie: []}}', 'did you mean alice?'],
    [
      'an agent that no file has and that looks like none',
      '  blocked_tools: [{tools: [pay], agents: [x9]}]',
      'agent x9',
    ],
  ])('%s', async (_, text, expected) => {
    await settings(text);
    expect(await found()).toEqual({ refused: [], warned: [expect.stringContaining(expected)] });
  });

  test.each([
    ['roles: [bookkeping]\n      tools: [pay]', 'no agent of agents/ is who it names'],
    ['roles: [bookkeeping]\n      labels: [destructive]', 'no tool is what it names'],
    ['roles: [bookkeeping]\n      tool: [pay]', 'no grant has the member tool'],
    ['roles: [bookkeeping]', 'it says none of tools, labels'],
    ['tools: [pay]', 'it says none of tenants'],
  ])('a grant that covers nothing: %s', async (grant, expected) => {
    await write('policies/data.yaml', `config:\n  allow_listed:\n    - ${grant}\n`);
    const { refused, warned } = await found();
    expect(refused).toEqual([]);
    expect(warned).toContainEqual(expect.stringContaining(expected));
  });

  test('a role of a person that looks like one that is known', async () => {
    await edit('people.yaml', 'roles: [approver]', 'roles: [aprover, treasurer]');
    expect((await found()).warned).toContainEqual(
      expect.stringMatching(/^people\.yaml:\d+:\d+: .*the role aprover; did you mean approver\?/),
    );
  });

  test('limits and approvals that are missing, and a role that nobody has', async () => {
    await rm(path.join(folder, 'limits.yaml'));
    await edit('approvals.yaml', 'roles: [approver]', 'roles: [aprover]');
    expect((await found()).warned).toEqual([
      expect.stringContaining('there is no limits.yaml'),
      expect.stringMatching(/^approvals\.yaml:2:.*did you mean approver\?/),
    ]);
    await rm(path.join(folder, 'approvals.yaml'));
    expect((await found()).warned).toContainEqual(expect.stringContaining('there is no approvals.yaml'));
  });
});

test('[P-config-names] a setting that only a rule of the folder reads is the folder’s own', async () => {
  const rego = 'package interlock.rules.own\n\ndeny contains "No." if input.tool.name in data.config.mine\n';
  await write('policies/rules/own/own.rego', rego);
  await settings('  mine: [pay]');
  expect(await found()).toEqual({ refused: [], warned: [] });
});

test('[P-config-names] policy test fails where the folder around the policies is refused, and names what it warns about', async () => {
  await edit('policies/data.yaml', 'tools: [pay]', 'tools: [pya]');
  await rm(path.join(folder, 'limits.yaml'));
  const names = { refused: [expect.stringContaining('did you mean pay?')] };
  for (const dir of [folder, path.join(folder, 'policies')])
    expect((await configurationAround(dir, '')).mistakes).toMatchObject(names);
  expect((await configurationAround(undefined, folder)).mistakes).toMatchObject(names);
  await edit('policies/data.yaml', 'tools: [pya]', 'tools: [pay]');
  expect((await configurationAround(folder, '')).mistakes).toEqual({
    refused: [],
    warnings: [expect.stringContaining('limits.yaml')],
  });
  expect((await configurationAround(path.join(folder, 'tools'), '')).mistakes).toEqual({
    refused: [],
    warnings: [],
  });
});
