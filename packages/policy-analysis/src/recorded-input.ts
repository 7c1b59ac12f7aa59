/** The input of a recorded call, with which a policy can be evaluated again. */
import {
  canonicalJson,
  type Json,
  type PolicyInput,
  policyInputSchema,
  type RecordedCall,
  type Verdict,
} from '@interlock/contracts';
import { z } from 'zod';

/** What policy saw of a call before a person was asked, and what it decided. */
export interface RecordedInput {
  recorded: RecordedCall;
  /** Without an approval, which was given after policy asked for it. */
  input: PolicyInput;
  /** The approval with which the call was decided again, as policy saw it. */
  approval: PolicyInput['approval'];
  /** The first verdict: a call that was allowed because a person approved it was first asked about. */
  verdict: Verdict;
}

/** What the auditor reports at the end of a replay. */
export interface ReplayTotals {
  calls: number;
  /** Records that the auditor could not read. */
  unreadable: number;
}

const argumentsSchema = z.record(z.string(), z.custom<Json>());

/** Returns the input of a recorded call, or why the call cannot be evaluated again. */
export function recordedInputOf(recorded: RecordedCall): RecordedInput | { unreadable: string } {
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

/** Returns the recorded facts with the arguments (canonical JSON), or why they are not a valid input today. */
export function inputOf(
  facts: RecordedCall['decision']['facts'],
  argumentsText: string,
): { input: PolicyInput } | { unreadable: string } {
  const parsed = policyInputSchema.safeParse({ ...facts, arguments: argumentsOf(argumentsText) });
  return parsed.success ? { input: parsed.data } : { unreadable: complaintOf(parsed.error) };
}

/** Returns whether two values are the same JSON. */
export function isSame(one: unknown, other: unknown): boolean {
  return canonicalJson(one) === canonicalJson(other);
}

function argumentsOf(text: string): Record<string, Json> | undefined {
  try {
    return argumentsSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function complaintOf({ issues }: z.ZodError): string {
  const [issue] = issues;
  if (issue === undefined) return 'it is not a valid policy input today';
  return `/${issue.path.map(String).join('/')}: ${issue.message}`;
}
