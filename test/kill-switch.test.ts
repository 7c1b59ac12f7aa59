import { approvalListSchema, type SwitchTarget } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { observeBus } from './inside.ts';
import { type AgentName, type Line, startLine } from './line.ts';

const START_MS = 100_000;
const RESTART_MS = 90_000;
const WAIT_SECONDS = 20;

/**
 * Calls, one after the other, of which not as many may get through once the switch was acknowledged. They take some tenth
 * of the second that is promised, and on a busy machine both take longer.
 */
const PASSING_MAX = 10;
/** Agents that call at the same time, each again as soon as it is answered. */
const CALLERS = 4;

let line: Line;
beforeAll(async () => {
  line = await startLine();
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

/** Returns once the console acknowledged the switch. */
async function turn(target: SwitchTarget, on: boolean): Promise<void> {
  const { status } = await line.person('alice').post('/v1/kill', { target, on, reason: 'a test' });
  expect(status).toBe(200);
}

/** What becomes of a call now: `succeeded`, or the code of its refusal. */
async function fate(agent: AgentName, tool = 'write', text = 'a'): Promise<string> {
  const { body } = await line.call(tool, { text }, { agent });
  return body.code ?? body.outcome ?? '';
}

/** Waits until no service has the switch any more: limiter, broker and executor let a call through. */
async function untilFree(...of: Parameters<typeof fate>): Promise<void> {
  await eventually(async () => (await fate(...of)) === 'succeeded');
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
    async ([_name, target, stopped, free]) => {
      expect(await fate(...stopped)).toBe('succeeded');
      await turn(target, true);
      let passed = 0;
      while (passed < PASSING_MAX && (await fate(...stopped)) !== 'killed') passed += 1;
      expect(passed).toBeLessThan(PASSING_MAX);
      const before = line.upstream.requests.length;
      const fates = await Promise.all(Array.from({ length: 20 }, () => fate(...stopped)));
      expect(new Set(fates)).toEqual(new Set(['killed']));
      expect(line.upstream.requests).toHaveLength(before);
      if (free !== undefined) expect(await fate(...free)).toBe('succeeded');
      await turn(target, false);
      await untilFree(...stopped);
    },
  );

  test('[P-kill-within-a-second] stops agents that call all the time: after the first refusal no call has an effect', async () => {
    let sent = 0;
    let firstRefusal = Number.POSITIVE_INFINITY;
    let isOn = true;
    const calls: { text: string; order: number; code: string }[] = [];
    const caller = async () => {
      while (isOn) {
        sent += 1;
        const [order, text] = [sent, `ordered-${sent}.`];
        const code = await fate('helper', 'write', text);
        if (code === 'killed') firstRefusal = Math.min(firstRefusal, sent);
        calls.push({ text, order, code });
      }
    };
    const callers = Array.from({ length: CALLERS }, caller);
    const until = async (count: number) => await eventually(() => calls.length >= count);
    await until(5 * CALLERS);
    await turn({ kind: 'agent', tenant: 'acme', agent: 'helper' }, true);
    const acknowledged = sent;
    await eventually(() => firstRefusal < Number.POSITIVE_INFINITY);
    await until(calls.length + 20 * CALLERS);
    isOn = false;
    await Promise.all(callers);
    const effects = line.upstream.requests.map(({ body }) => /ordered-\d+\./.exec(body)?.[0]);
    const had = (text: string) => effects.includes(text);
    const late = calls.filter(({ order }) => order > firstRefusal);
    expect(late.length).toBeGreaterThanOrEqual(15 * CALLERS);
    expect(late.filter(({ text, code }) => code !== 'killed' || had(text))).toEqual([]);
    const passed = calls.filter(({ order, text }) => order > acknowledged && had(text));
    expect(passed.length).toBeLessThan(PASSING_MAX);
    await turn({ kind: 'agent', tenant: 'acme', agent: 'helper' }, false);
    await untilFree('helper');
  });

  test('[P-kill-within-a-second] stops calls that are admitted already before they start', async () => {
    await using observer = await observeBus(line.interlock);
    const admitted = new Map<string, string>();
    await observer.onPublished(({ step, address, text }) => {
      const [mark] = step === 'admitted' ? (/in-flight-\d/.exec(text) ?? []) : [];
      if (mark !== undefined) admitted.set(mark, address.call);
    });
    line.interlock.signal('executor', 'SIGSTOP');
    const answers = Array.from({ length: 5 }, (_, index) =>
      line.call('write', { text: `in-flight-${index}` }),
    );
    await eventually(() => admitted.size === answers.length);
    await turn({ kind: 'all' }, true);
    line.interlock.signal('executor', 'SIGCONT');
    for (const { status, body } of await Promise.all(answers)) {
      expect({ status, code: body.code }).toEqual({ status: 403, code: 'killed' });
      const call = { tenant: 'acme', call: body.call ?? '' };
      expect(await observer.holds('started', call)).toBe(false);
      expect(line.upstream.effects.get(call.call)).toBeUndefined();
    }
    await turn({ kind: 'all' }, false);
    await untilFree('helper');
  });
});

describe('when every service and the bus were killed', () => {
  let held = '';
  beforeAll(async () => {
    await turn({ kind: 'tool', tool: 'write' }, true);
    const { body } = await line.call('ask', { text: 'before the crash' });
    held = body.call ?? '';
    await eventually(async () => (await openQuestions()).includes(held));
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
  }, RESTART_MS);

  test('[P-kill-survives] what was stopped stays stopped, and nothing else, until it is lifted', async () => {
    const before = line.upstream.requests.length;
    expect(await fate('helper', 'slow')).toBe('succeeded');
    expect(await fate('helper', 'write')).toBe('killed');
    expect(line.upstream.requests).toHaveLength(before + 1);
    expect((await line.person('bob').get('/v1/kill')).text).toContain('"tool.write"');
    await turn({ kind: 'tool', tool: 'write' }, false);
    await untilFree('helper');
  });

  test('[P-approval-durable] a question is still open, once, and its call is carried out when a person approves it', async () => {
    expect((await line.getCall(held)).body).toMatchObject({ state: 'held' });
    expect((await openQuestions()).filter((call) => call === held)).toHaveLength(1);
    await line.person('bob').answer(held, 'approve');
    const { body } = await line.getCall(held, { waitSeconds: WAIT_SECONDS });
    expect(body).toMatchObject({ outcome: 'succeeded' });
    expect(line.upstream.effects.get(held)).toBe(1);
    expect(await openQuestions()).not.toContain(held);
  });
});

/** Returns the calls that wait for a person. */
async function openQuestions(): Promise<string[]> {
  const { body } = await line.person('bob').get('/v1/approvals');
  return approvalListSchema.parse(body).approvals.map(({ call }) => call);
}

function isAnother(services: readonly { name: string; pid: number }[], name: string, pid: number): boolean {
  return services.every((old) => old.name !== name || old.pid !== pid);
}
