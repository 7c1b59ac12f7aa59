/**
 * Calls of which a part is given, completed from what is known: a tool that is named has its labels, its environment and
 * what the call spends, its arguments are read as its `parse` says, and an agent that is named acts for its user. What is
 * given stays. The session used the tool and its destinations before, unless `tool.firstUse` is true.
 */
import { type Json, type PolicyInput, valueAt } from '@interlock/contracts';
import { createFactReader, type FactReader, type ReadTool } from '@interlock/facts';
import { type Mapping, merged } from '@interlock/policy';
import { z } from 'zod';

/** A tool, as far as policy sees it. Of a file it is not known which definition it is applied with. */
export interface KnownTool extends ReadTool {
  name: string;
  labels: readonly string[];
  environment?: string | undefined;
  spends?: string | undefined;
  definition?: NonNullable<PolicyInput['tool']['definition']>;
}

export interface KnownAgent {
  tenant: string;
  agent: string;
  user: string;
  roles: readonly string[];
  environment?: string | undefined;
}

/** The tools and agents of a configuration folder, or of a running installation. */
export interface KnownConfiguration {
  tools: readonly KnownTool[];
  agents: readonly KnownAgent[];
}

export const NOTHING_KNOWN: KnownConfiguration = { tools: [], agents: [] };

export interface CallCompleter extends AsyncDisposable {
  complete(given: Mapping): Promise<Mapping>;
}

const givenSchema = z.object({
  tool: z
    .union([z.string(), z.object({ name: z.string(), firstUse: z.boolean().default(false) })])
    .optional(),
  subject: z.object({ agent: z.string(), tenant: z.string().optional() }).optional(),
  arguments: z.record(z.string(), z.custom<Json>()).default({}),
});

/** Makes a completer. Disposing it ends the thread that reads SQL. */
export function createCallCompleter({ tools, agents }: KnownConfiguration): CallCompleter {
  const reader = createFactReader();
  const known = new Map(tools.map((tool) => [tool.name, tool]));
  return {
    complete: async (given) => {
      const parsed = givenSchema.safeParse(given);
      // What is not a call is reported where the whole input is checked.
      if (!parsed.success) return given;
      const { tool: named, subject, arguments: args } = parsed.data;
      const { name, firstUse } = typeof named === 'string' ? { name: named, firstUse: false } : (named ?? {});
      const whole = typeof named === 'string' ? { ...given, tool: { name } } : given;
      const tool = name === undefined ? undefined : known.get(name);
      const own = tool === undefined ? {} : await callOf(tool, args, { reader, firstUse: firstUse === true });
      return merged({ ...subjectOf(agents, subject), ...own }, whole);
    },
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}

async function callOf(
  tool: KnownTool,
  args: Record<string, Json>,
  { reader, firstUse }: { reader: FactReader; firstUse: boolean },
): Promise<Mapping> {
  const { labels, environment, spends, definition } = tool;
  const facts = await reader.read(tool, args, { used: { tools: [], destinations: [] } });
  const amount = spends === undefined ? undefined : valueAt(args, spends);
  return {
    tool: {
      labels: [...labels],
      ...(environment === undefined ? {} : { environment }),
      ...(definition === undefined ? {} : { definition }),
    },
    facts: {
      ...facts,
      destinations: facts.destinations.map((one) => (one.readable ? { ...one, firstUse } : one)),
    },
    ...(typeof amount === 'number' ? { spends: amount } : {}),
  };
}

/** An agent of this name in several tenants is meant in the one that is given. */
function subjectOf(
  agents: readonly KnownAgent[],
  named: { agent: string; tenant?: string | undefined } | undefined,
): Mapping {
  const found = agents.filter(
    ({ agent, tenant }) => agent === named?.agent && (named.tenant ?? tenant) === tenant,
  );
  const [only, ...others] = found;
  if (only === undefined || others.length > 0) return {};
  const { user, tenant, roles, environment } = only;
  return {
    subject: { user, tenant, roles: [...roles], ...(environment === undefined ? {} : { environment }) },
  };
}
