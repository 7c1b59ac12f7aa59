import type { Bus } from '@interlock/bus';
import { Fault, type RecordedCall, type RpcReply, type RpcRequest } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ConsoleFixture, startConsole, tokenOf } from './console.fixture.ts';

type Request = RpcRequest<'auditor.replay'>;
type Reply = RpcReply<'auditor.replay'>;

const DIGEST = 'd'.repeat(64);
let fixture: ConsoleFixture;
let auditor: Bus;
/** What the console asked the auditor, and what the auditor answers. */
let asked: Request[];
let answer: (request: Request) => Reply;

beforeAll(async () => {
  fixture = await startConsole([
    { person: 'olga', roles: ['operator'] },
    { person: 'rita', roles: ['reader'], tenants: ['acme'] },
    { person: 'bob', roles: ['approver'] },
  ]);
  auditor = await fixture.join('auditor');
  await auditor.serve('auditor.replay', async (request) => {
    asked.push(request);
    return answer(request);
  });
  await auditor.serve('auditor.show', async ({ call, tenants }) => ({
    records: call === 'call_known' && tenants?.includes('acme') ? [record] : [],
  }));
});

beforeEach(() => {
  asked = [];
  answer = () => ({ calls: [], unreadable: 0 });
});

afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
});

async function replay(person: string, query: string, signal?: AbortSignal): Promise<Response> {
  return await fetch(new URL(`/v1/replay?${query}`, fixture.url), {
    headers: { authorization: `Bearer ${tokenOf(person)}` },
    ...(signal === undefined ? {} : { signal }),
  });
}

describe('a replay', () => {
  test('is for operators and readers alone', async () => {
    expect((await replay('bob', 'since=0')).status).toBe(403);
    expect(asked).toEqual([]);
  });

  test.each(['', 'since=yesterday', 'since=0&agent=a%20b', 'since=0&limit=1'])(
    'is refused for the query "%s"',
    async (query) => {
      const response = await replay('olga', query);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: 'query_invalid' });
    },
  );

  test('that cannot begin is answered with the reason', async () => {
    answer = () => {
      throw new Fault('audit_unavailable');
    };
    const response = await replay('olga', 'since=0');
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: 'audit_unavailable' });
  });

  test('that breaks off is not mistaken for a whole one', async () => {
    answer = (request) => {
      if ('cursor' in request) throw new Fault('audit_unavailable');
      return { calls: [recorded('call_1')], unreadable: 0, cursor: 'replay_2' };
    };
    const response = await replay('olga', 'since=0');
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
  });

  test('that the client does not read to its end is closed', async () => {
    const calls = Array.from({ length: 500 }, (_, index) => recorded(`call_${index}`));
    answer = () => ({ calls, unreadable: 0, cursor: 'replay_more' });
    const hangUp = new AbortController();
    await replay('olga', 'since=0', hangUp.signal);
    // Back-pressure: the client reads nothing, so the console stops asking.
    const before = await eventually(() => asked.length > 1 && asked.length);
    hangUp.abort();
    await eventually(() => asked.some((request) => 'close' in request));
    expect(asked.length).toBeLessThan(before + 20);
  });

  test('returns one call a line, page after page, and at the end a line that says that it is whole', async () => {
    answer = (request) =>
      'cursor' in request
        ? { calls: [recorded('call_3')], unreadable: 2 }
        : { calls: [recorded('call_1'), recorded('call_2')], unreadable: 1, cursor: 'replay_2' };
    const response = await replay('rita', 'since=5&until=9&agent=clerk&tool=pay');
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = (await response.text()).trimEnd().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual([
      recorded('call_1'),
      recorded('call_2'),
      recorded('call_3'),
      { complete: true, calls: 3, unreadable: 3 },
    ]);
    expect(asked).toEqual([
      { since: 5, until: 9, agent: 'clerk', tool: 'pay', tenants: ['acme'] },
      { cursor: 'replay_2' },
    ]);
  });
});

describe('a label', () => {
  const put = (person: string, where: string, body: object = { label: 'bad' }) =>
    fixture.ask(person, 'PUT', `/v1/labels/${where}`, body);

  test('is for operators alone, in their tenants, and of a call that is recorded there', async () => {
    expect(await put('rita', 'acme/call_known')).toMatchObject({ status: 403 });
    expect(await put('olga', 'rival/call_known')).toMatchObject({
      status: 404,
      body: { code: 'call_unknown' },
    });
    expect(await put('olga', 'acme/call_known', { label: 'odd' })).toMatchObject({ status: 400 });
    expect(await fixture.ask('olga', 'GET', '/v1/labels')).toMatchObject({ body: { labels: [] } });
  });

  test('is the one that was set last, signed, with the person and the reason', async () => {
    await put('olga', 'acme/call_known');
    const body = { label: 'good', note: 'Meant so.' };
    expect(await put('olga', 'acme/call_known', body)).toMatchObject({ status: 200 });
    const listed = await fixture.ask('rita', 'GET', '/v1/labels');
    expect(listed.body).toMatchObject({
      labels: [{ tenant: 'acme', call: 'call_known', label: 'good', by: 'olga', note: 'Meant so.' }],
    });
    const { lastSequence } = await auditor.streamState('CONTROL');
    const recordedEvent = await auditor.readSequence('CONTROL', lastSequence);
    expect(recordedEvent?.subject).toBe('interlock.control.v1.label.good.acme');
  });
});

function recorded(call: string): RecordedCall {
  return {
    tenant: 'acme',
    call,
    agent: 'clerk',
    tool: 'pay',
    at: 6,
    step: 'started',
    decision: {
      verdict: 'allow',
      reasons: [],
      obligations: [],
      notes: [],
      policyDigest: DIGEST,
      policyVersion: 1,
      facts: {},
      decidedAt: 6,
    },
    arguments: '{}',
  };
}

const record = {
  stream: 'LEDGER' as const,
  sequence: 1,
  step: 'started',
  at: 6,
  event: {},
  hash: DIGEST,
};
