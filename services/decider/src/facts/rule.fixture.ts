import type { Json, Parse, Tool } from '@interlock/contracts';
import { policyWith } from '@interlock/policy';
import { buildPolicy } from '@interlock/testkit';
import { agent, callOf, nowMs, session, toolOf } from '../decision.fixture.ts';
import { policyInput } from '../facts.ts';
import { createFactReader } from './read.ts';

/** Each property of a rule is drawn as often, always from the same seed. */
export const DRAWS = { numRuns: 1_000, seed: 20_261_121 };

/** What a tool's arguments hold, and what a call of it gives. */
export interface Asked {
  parse: readonly Parse[];
  args: Record<string, Json>;
  labels?: Tool['labels'];
}

export interface Judge extends AsyncDisposable {
  /** Returns the verdict about a call of the tool `it`, with the rules that gave it, as a decider comes to it. */
  judge(asked: Asked): Promise<string>;
}

/** Makes a judge by the rules that come with Interlock, where everything is granted and `config` sets up the rules. */
export async function createJudge(config: Record<string, Json>): Promise<Judge> {
  const granted = { allow_listed: [{ agents: ['*'], tools: ['*'] }] };
  const policy = policyWith(await buildPolicy(), (own) => ({ ...own, config: { ...granted, ...config } }));
  const reader = createFactReader();
  return {
    judge: async ({ parse, args, labels = [] }) => {
      const tool = toolOf('it', { parse: [...parse], labels });
      const parsed = await reader.read(tool, args, session);
      const call = callOf(tool, args);
      const input = policyInput(
        { call, arguments: args, tool, agent, session, parsed, local: {}, environment: 'test' },
        nowMs,
      );
      const { verdict, reasons } = policy.evaluate(input);
      return [verdict, ...new Set(reasons.map(({ rule }) => rule))].join(' ');
    },
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}
