import type { Bus } from '@interlock/bus';
import { Fault, type Tool, toolVersionOf } from '@interlock/contracts';
import { eventually, makeTool, startTestBus, type TestBus } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EntrySource, openSource, readEntry } from './entry.ts';
import { assertVersion, readTool, versionOf } from './tool.ts';

const before = makeTool({ description: 'As it was.' });
const after = makeTool({ description: 'As it is.' });
const decidedBefore = { tool: before.name, toolVersion: toolVersionOf(before) };
const decidedAfter = { tool: after.name, toolVersion: toolVersionOf(after) };

let testBus: TestBus;
let console: Bus;
let source: EntrySource<'tools'> & AsyncDisposable;

beforeAll(async () => {
  testBus = await startTestBus();
  console = await testBus.busOf('console');
  source = await openSource(await testBus.busOf('executor'), 'tools');
});
afterAll(async () => {
  await source[Symbol.asyncDispose]();
  await testBus[Symbol.asyncDispose]();
});

/** A copy that stands still, as one does whose bus is slow. The leader is the real one. */
function lagging(held: Tool | undefined, current = true): EntrySource<'tools'> {
  return { copy: { current, get: () => held }, leader: source.leader };
}

describe('the tool that was decided is', () => {
  beforeAll(async () => {
    await console.entries('tools').put(after.name, after);
    await eventually(() => source.copy.get(after.name) !== undefined);
  });

  test.each<[string, () => EntrySource<'tools'>]>([
    ['found at the leader when the copy lags behind', () => lagging(before)],
    ['found at the leader when the copy does not have it yet', () => lagging(undefined)],
    ['found at the leader when the copy may be behind', () => lagging(after, false)],
    ['found in the copy', () => ({ copy: source.copy, leader: { get: () => Promise.reject(new Error()) } })],
  ])('%s', async (_case, sourceOf) => {
    expect(assertVersion(await readTool(sourceOf(), decidedAfter), decidedAfter)).toEqual(after);
  });

  test('not taken from a copy that may be behind, even in the version that was decided', async () => {
    const found = await readTool(lagging(before, false), decidedBefore);
    expect(() => assertVersion(found, decidedBefore)).toThrow('tool_changed');
  });

  test('not known when the copy does not have it and the leader does not answer', async () => {
    const fault = new Fault('dependency_unavailable');
    const away = { ...lagging(before), leader: { get: () => Promise.reject(fault) } };
    await expect(readTool(away, decidedAfter)).rejects.toBe(fault);
  });
});

describe('[P-unsure-means-no] a call is refused when its tool', () => {
  test.each<[string, Tool | undefined, { tool: string; toolVersion: string }]>([
    ['is gone', undefined, decidedAfter],
    ['is another version', before, decidedAfter],
    ['is another tool of the same version', after, { ...decidedAfter, tool: 'other' }],
  ])('%s', (_wrong, tool, named) => {
    expect(() => assertVersion(tool, named)).toThrow(expect.objectContaining({ code: 'tool_changed' }));
  });
});

test('a version is the digest of the whole definition', () => {
  expect(versionOf(before)).toBe(toolVersionOf(before));
  expect(versionOf(before)).toBe(versionOf(makeTool({ description: 'As it was.' })));
  expect(versionOf(before)).not.toBe(versionOf(after));
});

test('an entry that the copy holds and that agrees is not asked for again', async () => {
  const asked: string[] = [];
  const counted = {
    copy: source.copy,
    leader: {
      get: (key: string) => {
        asked.push(key);
        return source.leader.get(key);
      },
    },
  };
  expect(await readEntry(counted, after.name)).toEqual(after);
  expect(await readEntry(counted, 'unknown')).toBeUndefined();
  expect(await readEntry(counted, after.name, () => false)).toEqual(after);
  expect(asked).toEqual(['unknown', after.name]);
});
