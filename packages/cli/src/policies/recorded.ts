/** A recorded call as policy can be asked about it again. */
import {
  canonicalJson,
  type Json,
  type PolicyInput,
  policyInputSchema,
  type RecordedCall,
  recordedCallSchema,
  replayEndSchema,
  type Verdict,
} from '@interlock/contracts';
import { z } from 'zod';
import type { Door } from '../client.ts';
import { Failure } from '../failure.ts';

/** Which recorded calls a command is about. */
export interface Span {
  since: number;
  until: number;
  agent?: string | undefined;
  tool?: string | undefined;
}

/** What policy saw of a call before anybody was asked, and what it said. */
export interface Recalled {
  recorded: RecordedCall;
  /** Without an approval: that came after policy asked for it. */
  input: PolicyInput;
  /** The approval the call was decided again with, as policy saw it. */
  approval: PolicyInput['approval'];
  /** What policy said first: a call that was allowed because a person approved it was asked about. */
  verdict: Verdict;
}

const argumentsSchema = z.record(z.string(), z.custom<Json>());

/** Returns a recorded call with its input, or why it cannot be asked about again. */
export function recall(recorded: RecordedCall): Recalled | { unreadable: string } {
  const read = inputOf(recorded.decision.facts, recorded.arguments);
  if ('unreadable' in read) return read;
  const { approval, ...input } = read.input;
  const { verdict } = recorded.decision;
  return {
    recorded,
    input,
    approval,
    verdict: approval !== undefined && verdict === 'allow' ? 'ask' : verdict,
  };
}

/** Returns what policy saw: its recorded facts with the arguments (canonical JSON), or why they are no input today. */
export function inputOf(
  facts: RecordedCall['decision']['facts'],
  given: string,
): { input: PolicyInput } | { unreadable: string } {
  const parsed = policyInputSchema.safeParse({ ...facts, arguments: argumentsOf(given) });
  return parsed.success ? { input: parsed.data } : { unreadable: whyNot(parsed.error) };
}

/** What a replay left out before it reached the command. */
export interface ReplayTotals {
  calls: number;
  unreadable: number;
}

/** Recorded calls as they come. */
export interface Replay {
  /** Yields the calls, oldest first, and returns the totals. Throws `replay_broken` when they are not all there. */
  calls(): AsyncGenerator<RecordedCall, ReplayTotals>;
}

/** Begins a replay; resolves when the first calls may be read. */
export async function openReplay(
  door: Pick<Door, 'lines'>,
  { since, until, agent, tool }: Span,
): Promise<Replay> {
  const query = new URLSearchParams({ since: String(since), until: String(until) });
  if (agent !== undefined) query.set('agent', agent);
  if (tool !== undefined) query.set('tool', tool);
  const lines = await door.lines(`/v1/replay?${query}`);
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

/** Returns the arguments of a call; undefined where they are not what a call's arguments are. */
function argumentsOf(text: string): Record<string, Json> | undefined {
  return argumentsSchema.safeParse(jsonOf(text)).data;
}

function whyNot({ issues }: z.ZodError): string {
  const [issue] = issues;
  if (issue === undefined) return 'it is not what policy sees today';
  return `/${issue.path.map(String).join('/')}: ${issue.message}`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns whether two values are the same JSON. */
export function isSame(one: unknown, other: unknown): boolean {
  return canonicalJson(one) === canonicalJson(other);
}
