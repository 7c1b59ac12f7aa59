/** A recorded call as policy can be asked about it again. */
import {
  canonicalJson,
  type Json,
  type PolicyInput,
  policyInputSchema,
  type RecordedCall,
  type Verdict,
} from '@interlock/contracts';
import { z } from 'zod';

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
