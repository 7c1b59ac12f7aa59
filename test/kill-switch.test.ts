import path from 'node:path';
import type { Bus } from '@interlock/bus';
import type { SwitchTarget } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filesBelow, joinBus } from './inside.ts';
import { type AgentName, type Line, startLine } from './line.ts';

const START_MS = 100_000;
const RESTART_MS = 90_000;

/**
 * Calls, one after the other, of which not as many may get through once the switch was answered. They take some tenth
 * of the second that is promised, and on a busy machine both take longer.
 */
const PASSING_MAX = 10;

let line: Line;
let ledger: Bus;
beforeAll(async () => {
  line = await startLine();
  ledger = await joinBus(line.interlock, 'ingress');
}, START_MS);
afterAll(async () => {
  await ledger?.[Symbol.asyncDispose]();
  await line?.[Symbol.asyncDispose]();
}, START_MS);

async function turn(target: SwitchTarget, on: boolean): Promise<void> {
  const { status } = await line.person('alice').post('/v1/kill', { target, on, reason: 'a test' });
  expect(status).toBe(200);
}

/** What becomes of a call now: `succeeded`, or the code of its refusal. */
async function fate(agent: AgentName, tool = 'write'): Promise<string> {
  const { body } = await line.call(tool, { text: 'a' }, { agent });
  return body.code ?? body.outcome ?? '';
}

describe('the kill switch', () => {
  test.for<[string, SwitchTarget, [AgentName, string], [AgentName, string] | undefined]>([
    ['an agent', { kind: 'agent', tenant: 'acme', agent: 'helper' }, ['helper', 'write'], ['other', 'write']],
    ['a tool', { kind: 'tool', tool: 'write' }, ['other', 'write'], ['other', 'slow']],
    ['a tenant', { kind: 'tenant', tenant: 'rival' }, ['other', 'write'], ['helper', 'write']],
    ['a credential', { kind: 'credential', credential: 'upstream-token' }, ['helper', 'write'], undefined],
    ['everything', { kind: 'all' }, ['other', 'slow'], undefined],
  ])(
    '[P-kill-within-a-second] stops %s before ten more calls get through, nobody else, and until it is lifted',
    async ([_name, target, stopped, free], { annotate }) => {
      expect(await fate(...stopped)).toBe('succeeded');
      const startMs = performance.now();
      await turn(target, true);
      let passed = 0;
      while (passed < PASSING_MAX && (await fate(...stopped)) !== 'killed') passed += 1;
      expect(passed).toBeLessThan(PASSING_MAX);
      const tookMs = performance.now() - startMs;
      await annotate(`effective after ${Math.round(tookMs)} ms`);
      const before = line.upstream.requests.length;
      const fates = await Promise.all(Array.from({ length: 20 }, () => fate(...stopped)));
      expect(new Set(fates)).toEqual(new Set(['killed']));
      expect(line.upstream.requests).toHaveLength(before);
      if (free !== undefined) expect(await fate(...free)).toBe('succeeded');
      await turn(target, false);
      await eventually(async () => (await fate(...stopped)) === 'succeeded');
    },
  );

  test('[P-kill-within-a-second] stops a call that is admitted already before it starts', async () => {
    line.interlock.signal('executor', 'SIGSTOP');
    const answer = line.call('write', { text: 'in flight' });
    const call = await eventually(async () => await admittedCall('in flight'));
    await turn({ kind: 'all' }, true);
    line.interlock.signal('executor', 'SIGCONT');
    const { status, body } = await answer;
    expect({ status, code: body.code, call: body.call }).toEqual({ status: 403, code: 'killed', call });
    expect(await ledger.readStep('started', 'acme', call)).toBeUndefined();
    expect(line.upstream.effects.get(call)).toBeUndefined();
    await turn({ kind: 'all' }, false);
    await eventually(async () => (await fate('helper')) === 'succeeded');
  });

  test(
    '[P-kill-survives] stays on when every service and the bus are killed',
    async () => {
      await turn({ kind: 'tool', tool: 'write' }, true);
      const { services } = line.interlock;
      line.interlock.signal('nats-server', 'SIGKILL');
      for (const { name } of services) line.interlock.signal(name, 'SIGKILL');
      await eventually(
        () =>
          line.interlock.services.length === services.length &&
          line.interlock.services.every(({ name, pid }) => isAnother(services, name, pid)),
        RESTART_MS,
      );
      await line.interlock.ready();
      const before = line.upstream.requests.length;
      expect(await fate('helper', 'slow')).toBe('succeeded');
      expect(await fate('helper', 'write')).toBe('killed');
      expect(line.upstream.requests).toHaveLength(before + 1);
      expect((await line.person('bob').get('/v1/kill')).text).toContain('"tool.write"');
      await turn({ kind: 'tool', tool: 'write' }, false);
      await eventually(async () => (await fate('helper')) === 'succeeded');
    },
    RESTART_MS,
  );
});

function isAnother(services: readonly { name: string; pid: number }[], name: string, pid: number): boolean {
  return services.every((old) => old.name !== name || old.pid !== pid);
}

/** Returns the call of a text once its `admitted` is stored, as the bus keeps it on disk. */
async function admittedCall(text: string): Promise<string | undefined> {
  const files = await filesBelow(path.join(line.interlock.data, 'nats'));
  for (const { bytes } of files) {
    const pattern =
      /interlock\.line\.v1\.admitted\.executor\.any\.acme\.([\w-]+?)(?:.{4})?NATS\/1\.0.{0,8000}/gs;
    for (const [event, call] of bytes.toString('latin1').matchAll(pattern))
      if (event.includes(text)) return call;
  }
  return undefined;
}
