/** Recorded calls as the management API replays them. */
import { type RecordedCall, recordedCallSchema, replayEndSchema } from '@interlock/contracts';
import type { ReplayTotals } from '@interlock/policy-analysis';
import { Failure } from '@interlock/shell';
import type { ApiClient } from '../client.ts';

/** Which recorded calls a command is about. */
export interface Span {
  since: number;
  until: number;
  agent?: string | undefined;
  tool?: string | undefined;
}

/** Recorded calls as they come. */
export interface Replay {
  /** Yields the calls, oldest first, and returns the totals. Throws `replay_broken` when they are not all there. */
  calls(): AsyncGenerator<RecordedCall, ReplayTotals>;
}

/** Begins a replay; resolves when the first calls may be read. */
export async function openReplay(
  client: Pick<ApiClient, 'lines'>,
  { since, until, agent, tool }: Span,
): Promise<Replay> {
  const query = new URLSearchParams({ since: String(since), until: String(until) });
  if (agent !== undefined) query.set('agent', agent);
  if (tool !== undefined) query.set('tool', tool);
  const lines = await client.lines(`/v1/replay?${query}`);
  return { calls: () => callsOf(lines) };
}

async function* callsOf(lines: AsyncGenerator<string>): AsyncGenerator<RecordedCall, ReplayTotals> {
  let calls = 0;
  for await (const line of lines) {
    const value = jsonOf(line);
    const recorded = recordedCallSchema.safeParse(value);
    if (recorded.success) {
      calls += 1;
      yield recorded.data;
      continue;
    }
    const end = replayEndSchema.safeParse(value);
    if (!end.success)
      throw broken('The console sent a call in a shape this version does not know.', end.error);
    if (end.data.calls !== calls) throw broken(`Of ${end.data.calls} recorded calls ${calls} came.`);
    return { calls, unreadable: end.data.unreadable };
  }
  throw broken('The recorded calls broke off before their end.');
}

function broken(detail: string, cause?: unknown): Failure {
  return new Failure('replay_broken', detail, { cause, next: 'Run the command again.' });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
