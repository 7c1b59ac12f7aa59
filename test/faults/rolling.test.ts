/** Ingress, and NATS, are started again while agents call. */
import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Line, startLine } from '../line.ts';

const START_MS = 100_000;
const RUN_MS = 200_000;
/** Clients that each make one call after the other: half of them keep their connection, half open one for each call. */
const CLIENTS = 8;
/** Calls of each client after ingress was replaced. */
const AFTERWARDS = 5;

let line: Line;
beforeAll(async () => {
  line = await startLine();
}, START_MS);
afterAll(() => line?.[Symbol.asyncDispose](), START_MS);

function pidOfIngress(): number {
  return line.interlock.services.find(({ name }) => name === 'ingress')?.pid ?? 0;
}

/**
 * Returns the status of one call. A connection that was kept may be closed by the server at the moment at which it is
 * used again; a client then sends the request once more, as it may do under its Idempotency-Key.
 */
async function statusOf(tool: string, key: string, agent: Agent | false): Promise<number> {
  const { hostname, port } = new URL(line.interlock.ingress);
  const headers = {
    authorization: `Bearer ${line.agent('helper').key}`,
    'content-type': 'application/json',
    'idempotency-key': key,
  };
  const outgoing = httpRequest({ hostname, port, method: 'POST', path: '/v1/calls', headers, agent });
  outgoing.end(JSON.stringify({ tool, arguments: { text: key } }));
  try {
    const [incoming]: IncomingMessage[] = await once(outgoing, 'response');
    if (incoming === undefined) throw new TypeError('There is no answer.');
    await text(incoming);
    return incoming.statusCode ?? 0;
  } catch (error) {
    if (!outgoing.reusedSocket) throw error;
    return await statusOf(tool, key, agent);
  }
}

let made = 0;
async function makeCalls(agent: Agent | false, replaced: { done: boolean }): Promise<number[]> {
  const statuses: number[] = [];
  for (let left = AFTERWARDS; left > 0; left -= replaced.done ? 1 : 0) {
    made += 1;
    statuses.push(await statusOf('write', `rolling-${made}`, agent));
  }
  return statuses;
}

test.each([
  ['is replaced by its supervisor', () => line.interlock.restart('ingress')],
  ['is asked to end', () => line.interlock.signal('ingress', 'SIGTERM')],
])(
  '[P-rolling-ingress] calls before, while and after ingress %s are all answered, and so is one that it was carrying out',
  async (_, replace) => {
    const agent = new Agent({ keepAlive: true });
    const before = pidOfIngress();
    const replaced = { done: false };
    const over = Promise.withResolvers<void>();
    line.upstream.behave({ kind: 'wait', until: over.promise }, '/slow');
    const name = `slow-${before}`;
    const waiting = statusOf('slow', name, false);
    await eventually(() => line.upstream.requests.some(({ body }) => body.includes(name)));
    const calls = Promise.all(
      Array.from({ length: CLIENTS }, (_one, index) => makeCalls(index % 2 === 0 && agent, replaced)),
    );
    await replace();
    await eventually(() => line.interlock.services.some(isSuccessorOf(before)), START_MS);
    over.resolve();
    expect(await waiting).toBe(200);
    await line.interlock.ready();
    await eventually(() => isGone(before), START_MS);
    replaced.done = true;
    const statuses = (await calls).flat();
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(statuses.length).toBeGreaterThanOrEqual(CLIENTS * AFTERWARDS);
    agent.destroy();
  },
  RUN_MS,
);

test(
  '[P-rolling-ingress] a call that is made while no ingress runs waits for the next one',
  async () => {
    const before = pidOfIngress();
    line.interlock.signal('ingress', 'SIGKILL');
    await eventually(() => isGone(before));
    expect(await statusOf('write', 'between', false)).toBe(200);
  },
  RUN_MS,
);

/** What docs/clients.md says to send again, under the same key. */
const AGAIN: readonly number[] = [408, 429, 500, 503, 504];

/** Makes a call as a client that follows the rules, and resolves when it has an outcome. */
async function callByTheRules(key: string): Promise<void> {
  await eventually(async () => {
    const status = await statusOf('write', key, false);
    if (status !== 200) expect(AGAIN, key).toContain(status);
    return status === 200;
  }, RUN_MS);
}

test(
  '[P-retry-rules] over a restart of NATS, a client that sends again what the rules name gets an outcome of each call, and none is carried out twice',
  async () => {
    const restarted = { done: false };
    const keys: string[] = [];
    const call = async () => {
      for (let left = AFTERWARDS; left > 0; left -= restarted.done ? 1 : 0) {
        const key = `again-${keys.length}.`;
        keys.push(key);
        await callByTheRules(key);
      }
    };
    const calls = Promise.all(Array.from({ length: CLIENTS }, call));
    await line.interlock.restart('nats-server');
    await line.interlock.ready();
    restarted.done = true;
    await calls;
    const twice = keys.filter(
      (key) => line.upstream.requests.filter(({ body }) => body.includes(key)).length > 1,
    );
    expect(twice).toEqual([]);
  },
  2 * RUN_MS,
);

function isSuccessorOf(before: number) {
  return ({ name, pid }: { name: string; pid: number }) => name === 'ingress' && pid !== before;
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
