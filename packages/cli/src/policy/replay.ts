/** Recorded calls as the management API replays them. */
import { type RecordedCall, recordedCallSchema, replayEndSchema } from '@interlock/contracts';
import type { ReplayTotals } from '@interlock/policy-analysis';
import { Failure } from '@interlock/shell';
import type { ApiClient } from '../client.ts';

/** The recorded calls to read. */
export interface ReplayFilter {
  since: number;
  until: number;
  agent?: string | undefined;
  tool?: string | undefined;
}

/** Recorded calls as they arrive. */
export interface Replay {
  /** Yields the calls, oldest first, and returns the totals. Throws `replay_broken` when some are missing. */
  calls(): AsyncGenerator<RecordedCall, ReplayTotals>;
}

/** Begins a replay; resolves once the first calls may be read. */
export async function openReplay(
  client: Pick<ApiClient, 'lines'>,
  { since, until, agent, tool }: ReplayFilter,
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
      throw broken(
        'The console sent a call in a form that this version of the command does not know.',
        end.error,
      );
    if (end.data.calls !== calls) throw broken(`Of ${end.data.calls} recorded calls, ${calls} arrived.`);
    return { calls, unreadable: end.data.unreadable };
  }
  throw broken('The connection ended before all recorded calls had arrived.');
}

function broken(detail: string, cause?: unknown): Failure {
  return new Failure('replay_broken', detail, { cause, next: 'Repeat the command.' });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
