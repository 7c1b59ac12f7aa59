import type { Buckets, EntryWatch } from '@interlock/bus';
import { type Call, Fault, type LimitsEntry } from '@interlock/contracts';
import { blockedBy, type EntrySource, openSource, readTool } from '@interlock/gate';
import type { AdmitFacts } from './admit.ts';

/** The entries a limiter acts on, verified and live. */
export interface LimiterEntries {
  /** True, or which copy may be behind. */
  readonly ready: true | string;
  /**
   * Returns what the entries say about a decided call. Throws `dependency_unavailable` when that is not known: a copy
   * may be behind and the leader does not answer, or no limits were ever applied.
   */
  factsOf(call: Pick<Call, 'tenant' | 'agent' | 'tool' | 'toolVersion'>): Promise<AdmitFacts>;
  /** True when a configured limit counts slots or amounts, so that the end of a call releases something. */
  readonly mayRelease: boolean;
}

/** The buckets a limiter reads. */
export interface LimiterSources {
  tools: EntrySource<'tools'>;
  settings: Pick<EntryWatch<'settings'>, 'current' | 'get'>;
  switches: Pick<EntryWatch<'switches'>, 'current' | 'get'>;
}

/** Watches tools, limits and kill switches until disposed. */
export async function watchEntries(bus: Buckets): Promise<LimiterEntries & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const entries = entriesOf({
    tools: stack.use(await openSource(bus, 'tools')),
    settings: stack.use(await bus.entries('settings').watch()),
    switches: stack.use(await bus.entries('switches').watch()),
  });
  const owned = stack.move();
  return Object.assign(entries, { [Symbol.asyncDispose]: () => owned.disposeAsync() });
}

/** Returns what a limiter acts on, from the buckets it reads. */
export function entriesOf({ tools, settings, switches }: LimiterSources): LimiterEntries {
  const limits = (): LimitsEntry | undefined => {
    const entry = settings.get('limits');
    return entry !== undefined && 'limits' in entry ? entry : undefined;
  };
  return {
    get ready() {
      if (!tools.copy.current) return 'The copy of the tools may be behind.';
      if (!settings.current) return 'The copy of the limits may be behind.';
      if (!switches.current) return 'The copy of the kill switches may be behind.';
      return true;
    },
    get mayRelease() {
      const configured = limits()?.limits ?? [];
      return configured.some(({ concurrency, spend }) => concurrency !== undefined || spend !== undefined);
    },
    async factsOf(call) {
      const tool = await readTool(tools, call);
      // Read after the waiting, so that they are the limits and switches of now.
      if (!settings.current)
        throw new Fault('dependency_unavailable', { detail: 'The copy of the limits may be behind.' });
      const applied = limits();
      if (applied === undefined)
        throw new Fault('dependency_unavailable', {
          detail: 'No limits were applied yet.',
          next: 'The mistake is not yours to correct: ask the operator of Interlock to apply limits. Then send the call again.',
        });
      const blocked = blockedBy(switches, call, tool ?? { name: call.tool, credential: [] });
      return { limits: applied, tool, blocked };
    },
  };
}
