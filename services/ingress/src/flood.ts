import type { Bus, BusLog } from '@interlock/bus';
import { type AgentEntry, Fault, newId } from '@interlock/contracts';
import { refusedEvent } from '@interlock/gate';
import type { Keyring } from '@interlock/keys';
import type { Clock } from '@interlock/shell';

/** One record per agent and window: a flood must not become a flood on the ledger. */
const WINDOW_MS = 10_000;
/** The body of a call over the cap is not read, so its tool is not known; an identifier has to stand there. */
const UNREAD_TOOL = '-';

interface Flood {
  agent: AgentEntry;
  count: number;
  timer: NodeJS.Timeout;
}

export interface FloodOptions {
  bus: Pick<Bus, 'refuse'>;
  keyring: Keyring;
  clock: Clock;
  log: BusLog;
}

/** Counts calls over an agent's caps, and writes each agent's as one refusal at the end of a window. */
export class Floods implements AsyncDisposable {
  readonly #floods = new Map<string, Flood>();
  readonly #options: FloodOptions;

  constructor(options: FloodOptions) {
    this.#options = options;
  }

  /** Counts one call that was refused before its body was read. */
  add(agentKey: string, agent: AgentEntry): void {
    const open = this.#floods.get(agentKey);
    if (open !== undefined) {
      open.count += 1;
      return;
    }
    const timer = setTimeout(() => void this.#write(agentKey), WINDOW_MS);
    this.#floods.set(agentKey, { agent, count: 1, timer });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#floods.keys()].map((agentKey) => this.#write(agentKey)));
  }

  async #write(agentKey: string): Promise<void> {
    const flood = this.#floods.get(agentKey);
    if (flood === undefined) return;
    this.#floods.delete(agentKey);
    clearTimeout(flood.timer);
    const { bus, keyring, clock, log } = this.#options;
    const { tenant, agent } = flood.agent;
    const who = { tenant, agent, call: newId('flood'), tool: UNREAD_TOOL };
    try {
      const fault = new Fault('agent_flood');
      const evidence = { detail: { count: flood.count } };
      const refused = refusedEvent({ call: who, by: 'ingress', fault, evidence }, keyring, clock.nowMs());
      await bus.refuse({ ...refused, count: flood.count });
    } catch (error) {
      // Nothing was let through; what is lost is the count of one window, and it stands in the log.
      log.warn({ err: error, tenant, agent, count: flood.count }, 'a flood was not written to the ledger');
    }
  }
}
