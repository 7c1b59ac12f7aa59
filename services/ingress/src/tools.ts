import type { EntryWatch } from '@interlock/bus';
import { Fault, type Tool } from '@interlock/contracts';
import { type KnownTool, knowTool } from './schema.ts';

export interface Tools {
  /** Throws `dependency_unavailable` while the copy may be behind. */
  get(name: string): KnownTool | undefined;
  /** What agents may read of each tool: its schema as its author wrote it. */
  list(): object[];
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
    list: () =>
      [...current().values()]
        .map(({ tool }) => listed(tool))
        .sort((one, other) => (one.name < other.name ? -1 : 1)),
  };
}

function listed({ name, title, description, labels, inputSchema }: Tool) {
  return { name, ...(title === undefined ? {} : { title }), description, labels, inputSchema };
}
