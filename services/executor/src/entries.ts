import type { Buckets } from '@interlock/bus';
import type { Call, Fault, Tool } from '@interlock/contracts';
import { assertVersion, blockedBy, openSource, readTool } from '@interlock/gate';

/** The entries an executor acts on, verified and live. */
export interface ExecutorEntries extends AsyncDisposable {
  /** True when the copies are current, else why they are not. */
  readonly ready: true | string;
  /** Returns the tool in the very version that was decided. Throws `tool_changed` or `dependency_unavailable`. */
  decided(named: Pick<Call, 'tool' | 'toolVersion'>): Promise<Tool>;
  /** Returns why the call may not go on, if a kill switch is on for it or that is not known. */
  blockedBy(call: Pick<Call, 'tenant' | 'agent'>, tool: Tool): Fault | undefined;
}

/** Watches tools and kill switches. */
export async function watchEntries(bus: Buckets): Promise<ExecutorEntries> {
  await using stack = new AsyncDisposableStack();
  const tools = stack.use(await openSource(bus, 'tools'));
  const switches = stack.use(await bus.entries('switches').watch());
  const owned = stack.move();
  return {
    get ready() {
      return (tools.copy.current && switches.current) || 'the copy of tools or kill switches may be behind';
    },
    decided: async (named) => assertVersion(await readTool(tools, named), named),
    blockedBy: (call, tool) => blockedBy(switches, call, tool),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
