import { type Json, type Parse, policyInputSchema, sha256, type Tool } from '@interlock/contracts';
import { policyWith } from '@interlock/policy';
import { buildPolicy, makeTool } from '@interlock/testkit';
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
      const tool = toolOf({ parse: [...parse], labels });
      const facts = await reader.read(tool, args, { used: { tools: [], destinations: [] } });
      const { verdict, reasons } = policy.evaluate(
        policyInputSchema.parse({
          subject: { agent: 'clerk', user: 'ada', tenant: 'acme', roles: [], proof: 'api_key' },
          action: { name: 'execute_tool' },
          tool: { name: tool.name, version: sha256('it'), labels, firstUse: false },
          arguments: args,
          facts,
          session: { id: 'task', labels: [], openedAt: 0 },
          history: { denied: [] },
          context: {
            time: '2026-01-01T00:00:00Z',
            epochMs: 0,
            local: {},
            door: 'executor',
            environment: 'test',
          },
        }),
      );
      return [verdict, ...new Set(reasons.map(({ rule }) => rule))].join(' ');
    },
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}

/** Returns a tool; only what its arguments hold matters here, and where it sends to. */
export function toolOf(more: Partial<Omit<Tool, 'target'>> & { target?: object } = {}): Tool {
  const target = { url: 'https://api.example.com/things' };
  return makeTool({ name: 'it', description: 'A tool.', target, ...more });
}
