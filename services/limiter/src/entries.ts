import type { Bus } from '@interlock/bus';
import { Fault, type LimitsEntry, switchKeysOf, type Tool, toolVersionOf } from '@interlock/contracts';
import type { AdmitFacts } from './admit.ts';

export interface LimiterEntries extends AsyncDisposable {
  /** True, or which copy may be behind. */
  readonly ready: true | string;
  /**
   * Returns what the entries say about a call.
   * Throws `dependency_unavailable` when a copy may be behind or no limits were ever applied.
   */
  factsOf(call: { tenant: string; agent: string; tool: string }): AdmitFacts;
  /** True when some limit, or policy, counts slots or amounts, so that the end of a call gives something back. */
  readonly givesBack: boolean;
  /** Takes note that policy itself counts. */
  policyTakes(): void;
}

/** Watches tools, limits and kill switches. */
export async function watchEntries(bus: Bus): Promise<LimiterEntries> {
  await using stack = new AsyncDisposableStack();
  const tools = stack.use(await bus.entries('tools').watch());
  const settings = stack.use(await bus.entries('settings').watch());
  const switches = stack.use(await bus.entries('switches').watch());
  const versions = new Map<string, { definition: Tool; version: string }>();
  tools.onChange((name, definition) => {
    if (definition === undefined) versions.delete(name);
    else versions.set(name, { definition, version: toolVersionOf(definition) });
  });
  const limits = (): LimitsEntry | undefined => {
    const entry = settings.get('limits');
    return entry !== undefined && 'limits' in entry ? entry : undefined;
  };
  const ready = (): true | string => {
    if (!tools.current) return 'The copy of the tools may be behind.';
    if (!settings.current) return 'The copy of the limits may be behind.';
    if (!switches.current) return 'The copy of the kill switches may be behind.';
    return true;
  };
  let policyCounts = false;
  const owned = stack.move();
  return {
    policyTakes: () => {
      policyCounts = true;
    },
    get ready() {
      return ready();
    },
    get givesBack() {
      return (
        policyCounts ||
        (limits()?.limits.some(
          ({ concurrency, spend }) => concurrency !== undefined || spend !== undefined,
        ) ??
          false)
      );
    },
    factsOf({ tenant, agent, tool }) {
      const current = ready();
      if (current !== true) throw new Fault('dependency_unavailable', { detail: current });
      const applied = limits();
      if (applied === undefined)
        throw new Fault('dependency_unavailable', { detail: 'No limits were applied yet.' });
      const known = versions.get(tool);
      const credential = known?.definition.credential?.name;
      const killed = switchKeysOf({ tenant, agent, tool, credential }).find(
        (key) => switches.get(key)?.on === true,
      );
      return { limits: applied, tool: known, killed };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
