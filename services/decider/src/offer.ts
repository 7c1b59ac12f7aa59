/**
 * Which tools an agent may ask for: what `GET /v1/tools` shows it.
 *
 * O1. A tool is shown where a rule offers it, or allows a call of it without arguments, and no rule withholds it. Both
 *     hold whatever the arguments are; policy decides about each call all the same.
 * O2. What cannot be known is not shown: a tool at which policy fails is left out.
 * O3. The work is bounded: one list is made at a time, other work goes on between two tools, and a list is kept until
 *     the policy, the agent or a tool changes, or for a moment where that is unknown.
 */
import { setImmediate } from 'node:timers/promises';
import type { EntryWatch } from '@interlock/bus';
import {
  type AgentEntry,
  type Call,
  callDigestOf,
  Fault,
  limits,
  type RpcReply,
  type RpcRequest,
  sha256,
  type Tool,
} from '@interlock/contracts';
import { versionOf } from '@interlock/gate';
import { type Clock, Queue } from '@interlock/shell';
import { LRUCache } from 'lru-cache';
import { checkAgent } from './check.ts';
import type { DecisionContext } from './context.ts';
import { policyInput } from './facts.ts';
import { gather } from './steps.ts';

/** Agents whose list is kept. */
const KEPT_MAX = 1_000;
/** An emergency that a person opens or closes changes a list within this time. */
const KEPT_MS = 10_000;
const NO_ARGUMENTS = '{}';

type Request = RpcRequest<'decider.offer'>;

/** A list, and what it was made of. */
interface Offer {
  reply: RpcReply<'decider.offer'>;
  agent: AgentEntry;
  changes: number;
  madeAtMs: number;
}

export class Offers {
  readonly #context: DecisionContext;
  readonly #tools: Pick<EntryWatch<'tools'>, 'all' | 'current' | 'onChange'>;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #kept = new LRUCache<string, Offer>({ max: KEPT_MAX });
  readonly #queue = new Queue();
  /** How often a tool changed. */
  #changes = 0;

  constructor(
    context: DecisionContext,
    tools: Pick<EntryWatch<'tools'>, 'all' | 'current' | 'onChange'>,
    clock: Pick<Clock, 'monotonicMs'>,
  ) {
    this.#context = context;
    this.#tools = tools;
    this.#clock = clock;
    tools.onChange(() => {
      this.#changes += 1;
    });
  }

  /** Returns the names of the tools that an agent may ask for. Throws `policy_missing` and `dependency_unavailable`. */
  async of(request: Request): Promise<RpcReply<'decider.offer'>> {
    return (await this.#keptFor(request)) ?? (await this.#queue.run(() => this.#make(request)));
  }

  async #keptFor(request: Request): Promise<Offer['reply'] | undefined> {
    const kept = this.#kept.get(keyOf(request));
    if (kept === undefined || kept.changes !== this.#changes) return undefined;
    if (this.#clock.monotonicMs() - kept.madeAtMs > KEPT_MS) return undefined;
    const { digest } = await this.#context.policies.inForce();
    const agent = await this.#context.agentOf(callOf(request, undefined, this.#context.nowMs()));
    return digest === kept.reply.policyDigest && agent === kept.agent ? kept.reply : undefined;
  }

  async #make(request: Request): Promise<Offer['reply']> {
    // An equal request that waited before this one may have made it.
    const kept = await this.#keptFor(request);
    if (kept !== undefined) return kept;
    if (!this.#tools.current)
      throw new Fault('dependency_unavailable', { detail: 'The copy of the tools may be behind.' });
    const nowMs = this.#context.nowMs();
    const changes = this.#changes;
    const named = callOf(request, undefined, nowMs);
    const agent = checkAgent(named, await this.#context.agentOf(named));
    const { digest } = await this.#context.policies.inForce();
    const tools: string[] = [];
    for (const { value: tool } of this.#tools.all()) {
      if (await this.#isOffered(callOf(request, tool, nowMs), nowMs)) tools.push(tool.name);
      // O3
      await setImmediate();
    }
    const reply = { tools: tools.sort(), policyDigest: digest };
    this.#kept.set(keyOf(request), { reply, agent, changes, madeAtMs: this.#clock.monotonicMs() });
    return reply;
  }

  async #isOffered(call: Call, nowMs: number): Promise<boolean> {
    try {
      const loaded = await this.#context.policies.inForce();
      const facts = await gather(this.#context, call, {}, nowMs, { loaded });
      const { offers, allow, withholds } = loaded.policy.explain(policyInput(facts, nowMs));
      // O1
      return withholds.length === 0 && offers.length + allow.length > 0;
    } catch (error) {
      // O2: without a policy or a store there is no list at all.
      const isOfTool = error instanceof Fault && error.code !== 'policy_missing' && !isOutage(error);
      if (isOfTool) return false;
      throw error;
    }
  }
}

function isOutage({ code }: Fault): boolean {
  return code === 'dependency_unavailable';
}

function keyOf({ tenant, agent }: Request): string {
  return `${tenant}.${agent}`;
}

/** Returns a call of a tool without arguments; nobody makes it. */
function callOf({ tenant, agent, user, session }: Request, tool: Tool | undefined, nowMs: number): Call {
  const bound = {
    ...{ tenant, agent, user, session, tool: tool?.name ?? 'none' },
    toolVersion: tool === undefined ? sha256('') : versionOf(tool),
    argumentsDigest: sha256(NO_ARGUMENTS),
  };
  return {
    ...bound,
    call: 'offer',
    arguments: NO_ARGUMENTS,
    callDigest: callDigestOf(bound),
    replyTo: 'nobody',
    keepResult: false,
    requestedAt: nowMs,
    notAfter: nowMs + limits.callMs,
  };
}
