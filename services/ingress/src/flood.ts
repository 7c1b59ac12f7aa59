import type { BusLog, Ledger } from '@interlock/bus';
import { type AgentEntry, Fault, newId } from '@interlock/contracts';
import { refusedEvent } from '@interlock/gate';
import type { Keyring } from '@interlock/keys';
import type { Clock } from '@interlock/shell';

/** One record per agent in this time: a flood of requests must not become a flood on the ledger. */
const WINDOW_MS = 10_000;
/** The body of a call over the cap is not read, so its tool is unknown; the event needs an identifier there. */
const UNREAD_TOOL = '-';

interface Flood {
  agent: AgentEntry;
  count: number;
  timer: NodeJS.Timeout;
}

export interface FloodOptions {
  bus: Ledger;
  keyring: Keyring;
  clock: Clock;
  log: BusLog;
}

/** Counts calls over an agent's caps, and writes those of each agent as one refusal at the end of a window. */
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
    } catch (err) {
      // No call was let through; only the count of one window is missing on the ledger, and the log has it.
      log.warn(
        { err, tenant, agent, count: flood.count },
        'could not write a flood of refused calls to the ledger',
      );
    }
  }
}
