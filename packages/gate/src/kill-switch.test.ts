import type { Tool } from '@interlock/contracts';
import { caller, makeTool } from '@interlock/testkit';
import { describe, expect, test } from 'vitest';
import { blockedBy } from './kill-switch.ts';

const bearer = { as: 'bearer' } as const;
const tool: Tool = makeTool({ name: 'pay', credential: { name: 'bank', inject: bearer } });

function switches(set: Record<string, boolean>, current = true) {
  const get = (key: string) => {
    const on = set[key];
    return on === undefined ? undefined : { on, by: 'bob', at: 1 };
  };
  return { current, get };
}

describe('[P-kill-within-a-second] a call is stopped by the switch of', () => {
  test.each([
    ['everything', 'all'],
    ['its tenant', 'tenant.acme'],
    ['its agent', 'agent.acme.clerk'],
    ['its tool', 'tool.pay'],
    ['its credential', 'credential.bank'],
  ])('%s, and the refusal names the switch', (_target, key) => {
    expect(blockedBy(switches({ [key]: true }), caller, tool)).toMatchObject({
      code: 'killed',
      rule: `switches/${key}`,
    });
  });
});

test('[P-unsure-means-no] a call is stopped when the copy of the switches may be behind', () => {
  expect(blockedBy(switches({}, false), caller, tool)).toMatchObject({ code: 'dependency_unavailable' });
  expect(blockedBy(switches({ all: true }, false), caller, tool)).toMatchObject({
    code: 'dependency_unavailable',
  });
});

test.each<[string, Record<string, boolean>]>([
  ['no switch was ever set', {}],
  ['its switches are off again', { all: false, 'tenant.acme': false, 'tool.pay': false }],
  ['only switches of others are on', { 'tenant.other': true, 'agent.acme.other': true, 'tool.other': true }],
  ['a switch of the same agent in another tenant is on', { 'agent.other.clerk': true }],
])('a call goes on when %s', (_case, set) => {
  expect(blockedBy(switches(set), caller, tool)).toBeUndefined();
});

test('a tool without a credential is not stopped by the switch of one', () => {
  expect(blockedBy(switches({ 'credential.bank': true }), caller, makeTool({ name: 'pay' }))).toBeUndefined();
});
