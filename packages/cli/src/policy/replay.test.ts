import type { RecordedCall } from '@interlock/contracts';
import { describe, expect, test } from 'vitest';
import type { ApiClient } from '../client.ts';
import { openReplay } from './replay.ts';

const AT = Date.UTC(2026, 0, 31);
const recorded: RecordedCall = {
  tenant: 'acme',
  call: 'call_1',
  agent: 'clerk',
  tool: 'pay',
  at: AT,
  step: 'started',
  decision: {
    ...{ verdict: 'allow', reasons: [], obligations: [], notes: [] },
    ...{ policyDigest: 'd'.repeat(64), policyVersion: 1, facts: {}, decidedAt: AT },
  },
  arguments: '{}',
};

describe('recorded calls that arrive line by line', () => {
  const end = (calls: number) => JSON.stringify({ complete: true, calls, unreadable: 2 });
  const call = JSON.stringify(recorded);

  test.each([
    ['break off before their end', [call]],
    ['are fewer than were sent', [call, end(2)]],
    ['are none', []],
    ['are something else', ['{"tenant":"acme"}', end(0)]],
  ])('are refused where they %s', async (_, lines) => {
    await expect(read(lines)).rejects.toMatchObject({ code: 'replay_broken' });
  });

  test('are returned with the number of those that could not be read', async () => {
    expect(await read([call, call, end(2)])).toEqual({ calls: 2, unreadable: 2 });
  });

  async function read(lines: string[]) {
    async function* stream() {
      yield* lines;
    }
    const client: Pick<ApiClient, 'lines'> = { lines: async () => stream() };
    const calls = (await openReplay(client, { since: 0, until: AT })).calls();
    let next = await calls.next();
    while (next.done !== true) next = await calls.next();
    return next.value;
  }
});
