import type { EntryWatch, Peers } from '@interlock/bus';
import { type AgentEntry, Fault, type Tool } from '@interlock/contracts';
import { type KnownTool, knowTool } from './schema.ts';

export interface Tools {
  /** Throws `dependency_unavailable` while the copy may be behind. */
  get(name: string): KnownTool | undefined;
  /** What agents may read of the tools of these names that can be called: each with its schema as its author wrote it, in their order. */
  list(names: readonly string[]): object[];
  /** The names of tools that nobody can call now, for a person who looks at the readiness; undefined where there are none. */
  unavailable(): string | undefined;
}

/** Keeps a live copy of the tools; each version is prepared once. */
export function watchTools(watch: Pick<EntryWatch<'tools'>, 'current' | 'onChange'>): Tools {
  const tools = new Map<string, KnownTool>();
  watch.onChange((name, tool) => {
    if (tool === undefined) tools.delete(name);
    else tools.set(name, knowTool(tool));
  });
  const current = () => {
    if (!watch.current) throw new Fault('dependency_unavailable');
    return tools;
  };
  return {
    get: (name) => current().get(name),
    unavailable: () => {
      const names = [...tools.values()].flatMap(({ tool }) =>
        tool.unavailable === undefined ? [] : [tool.name],
      );
      return names.length === 0 ? undefined : names.slice(0, NAMES_MAX).join(', ');
    },
    list: (names) =>
      names.flatMap((name) => {
        const known = current().get(name);
        return known === undefined || known.tool.unavailable !== undefined ? [] : [listed(known.tool)];
      }),
  };
}

const NAMES_MAX = 50;

/** A list is made in milliseconds, and up to a second where there are many tools; after this, no decider is running. */
const OFFER_TIMEOUT_MS = 5_000;

/**
 * Returns the tools that an agent may ask for, as policy says. Throws `policy_missing`, and `dependency_unavailable`
 * where no decider answers.
 */
export async function listOffered(
  { tenant, agent, user, session }: AgentEntry,
  { bus, tools }: { bus: Peers; tools: Pick<Tools, 'list'> },
): Promise<object[]> {
  const offered = await bus.ask('decider.offer', { tenant, agent, user, session }, OFFER_TIMEOUT_MS);
  return tools.list(offered.tools);
}

function listed({ name, title, description, labels, inputSchema }: Tool) {
  return { name, ...(title === undefined ? {} : { title }), description, labels, inputSchema };
}
