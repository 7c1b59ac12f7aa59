/**
 * Following a call until something true can be said of it.
 *
 * 1. 503 `deadline_passed` is said only when our own refusal was stored: then nothing can start any more.
 * 2. A question that is open keeps its call: the deadline of the request is not the deadline of the person.
 * 3. What cannot be read is not known: 504, with the call's id.
 */
import type { Bus, BusLog, Published, Records } from '@interlock/bus';
import {
  type AgentEntry,
  type EventBody,
  type Evidence,
  Fault,
  idSchema,
  type QuestionEntry,
  type Refused,
} from '@interlock/contracts';
import { type Refusing, refusedEvent } from '@interlock/gate';
import type { Keyring } from '@interlock/keys';
import type { Clock } from '@interlock/shell';
import { type Answer, answerHeld, answerOutcome, answerRefusal, answerRunning } from './answer.ts';
import { isSameRequest, type Origin, originOf, type Standing, standingOf } from './outcome.ts';
import { type ResultSources, resultOf } from './results.ts';
import type { Heard, Waited, Waiter, Waits } from './waits.ts';

export interface FollowerParts {
  bus: Pick<Bus, 'refuse' | 'readCall'>;
  questions: Pick<Records<QuestionEntry>, 'get'>;
  results: ResultSources;
  waits: Waits;
  keyring: Keyring;
  clock: Clock;
  log: BusLog;
}

/** A call under way, as the request that follows it knows it. */
export interface Followed {
  who: Refusing['call'] & { argumentsDigest: string };
  evidence: Evidence;
  waiter: Waiter;
  /** On the monotonic clock. */
  deadlineMs: number;
}

export class Follower {
  readonly #parts: FollowerParts;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
  }

  nowMs(): number {
    return this.#parts.clock.nowMs();
  }

  refusalOf({ who, evidence }: Followed, fault: Fault): Refused {
    return refusedEvent({ call: who, by: 'ingress', fault, evidence }, this.#parts.keyring, this.nowMs());
  }

  /** Listens for a call; `making` where the request makes it. */
  open({ tenant, agent }: AgentEntry, call: string, making: boolean): Waiter {
    return this.#parts.waits.open({ tenant, agent, call, making });
  }

  async refuse(refused: EventBody<'refused'>): Promise<Published> {
    return await this.#parts.bus.refuse(refused);
  }

  /** Reads where a call stands. Throws `dependency_unavailable`. */
  async standing({ tenant, call }: Pick<Waited, 'tenant' | 'call'>): Promise<Standing> {
    const { bus, questions } = this.#parts;
    const [ledger, question] = await Promise.all([
      bus.readCall(tenant, call),
      questions.get(`${tenant}.${call}`),
    ]);
    return standingOf(ledger, question?.value, this.nowMs());
  }

  /** Waits for the outcome of a call that may be on the line, and past its deadline finds out what is true. */
  async toTheEnd(followed: Followed): Promise<Answer> {
    const { waiter, deadlineMs } = followed;
    const heard = await waiter.next(deadlineMs - this.#parts.clock.monotonicMs(), true);
    if (heard !== undefined) return await this.#answerHeard(heard, followed);
    if (this.#parts.waits.drained) return unknown(followed);
    return await this.#pastDeadline(followed);
  }

  /** Answers a call from where it stands, and waits where it is still under way. */
  async answer(standing: Standing, followed: Followed): Promise<Answer> {
    const origin = originOf(standing);
    if (origin !== undefined && !isSameRequest(origin, followed.who)) return reused(followed);
    switch (standing.kind) {
      case 'settled':
      case 'refused':
      case 'held':
        return await this.#answerKnown(standing);
      case 'started': {
        const heard = await followed.waiter.next(standing.leftMs, false);
        if (heard !== undefined) return await this.#answerHeard(heard, followed);
        return await this.#pastClaim(followed);
      }
      case 'resolved': {
        const heard = await followed.waiter.next(standing.leftMs, false);
        if (heard !== undefined) return await this.#answerHeard(heard, followed);
        return this.#parts.waits.drained ? unknown(followed) : await this.#pastDeadline(followed);
      }
      case 'absent':
        return unknown(followed);
      default:
        return standing satisfies never;
    }
  }

  /** Answers one of the agent's own calls by its id. Throws `id_invalid`, `call_unknown`, `dependency_unavailable`. */
  async look(agent: AgentEntry, id: string, waitMs: number): Promise<Answer> {
    // Checked before it becomes part of a subject or a key.
    const call = idSchema.safeParse(id);
    if (!call.success) throw new Fault('id_invalid');
    using waiter = this.open(agent, call.data, false);
    const standing = await this.standing(waiter.waited);
    const origin = originOf(standing);
    const isOwn = origin === undefined ? this.#parts.waits.has(waiter.waited) : origin.agent === agent.agent;
    if (!isOwn) throw new Fault('call_unknown');
    if (standing.kind === 'settled' || standing.kind === 'refused' || waitMs === 0)
      return await this.#answerKnown(standing, call.data);
    const heard = await waiter.next(waitMs, false);
    if (heard !== undefined) return await this.#answerHeard(heard, { waiter });
    return await this.#answerKnown(await this.standing(waiter.waited), call.data);
  }

  async #pastDeadline(followed: Followed): Promise<Answer> {
    try {
      const standing = await this.standing(followed.who);
      const isOver = standing.kind === 'absent' || (standing.kind === 'resolved' && standing.leftMs === 0);
      if (!isOver) return await this.answer(standing, followed);
      const refused = this.refusalOf(followed, new Fault('deadline_passed'));
      if ((await this.refuse(refused)).stored) return answerRefusal(refused, refused.call);
      return await this.answer(await this.standing(followed.who), followed);
    } catch (error) {
      return this.#doubt(error, followed);
    }
  }

  async #pastClaim(followed: Followed): Promise<Answer> {
    try {
      const standing = await this.standing(followed.who);
      return standing.kind === 'settled' ? await this.#answerKnown(standing) : unknown(followed);
    } catch (error) {
      return this.#doubt(error, followed);
    }
  }

  #doubt(error: unknown, followed: Followed): Answer {
    this.#parts.log.warn({ err: error, call: followed.who.call }, 'the outcome of a call could not be read');
    return unknown(followed);
  }

  async #answerHeard(
    heard: Heard,
    { waiter, who }: Pick<Followed, 'waiter'> & Partial<Followed>,
  ): Promise<Answer> {
    const origin: Origin =
      heard.step === 'asked' ? heard.body.question : { argumentsDigest: undefined, ...heard.body };
    const call = waiter.waited.call;
    if (who !== undefined && !isSameRequest(origin, who))
      return answerRefusal(new Fault('idempotency_key_reused'), call);
    switch (heard.step) {
      case 'asked':
        return answerHeld(heard.body.question);
      case 'refused':
        return answerRefusal(heard.body, call);
      case 'settled': {
        const result = await this.#resultOf(heard.body, waiter);
        return answerOutcome(heard.body, { result, replayed: false });
      }
      default:
        return heard satisfies never;
    }
  }

  async #answerKnown(standing: Standing, call = ''): Promise<Answer> {
    switch (standing.kind) {
      case 'settled': {
        const result = await this.#resultOf(standing.settled, undefined);
        return answerOutcome(standing.settled, { result, replayed: true });
      }
      case 'refused':
        return answerRefusal(standing.refused, standing.refused.call);
      case 'held':
        return answerHeld(standing.question);
      case 'absent':
      case 'started':
      case 'resolved':
        return answerRunning(call);
      default:
        return standing satisfies never;
    }
  }

  /** The outcome is known whatever becomes of its body: a body that cannot be read is absent. */
  async #resultOf(settled: EventBody<'settled'>, waiter: Waiter | undefined) {
    try {
      return await resultOf(settled, waiter, this.#parts.results);
    } catch (error) {
      this.#parts.log.warn({ err: error, call: settled.call }, 'a kept result could not be read');
      return {};
    }
  }
}

function unknown({ who }: Followed): Answer {
  return answerRefusal(new Fault('outcome_unknown'), who.call);
}

function reused({ who }: Followed): Answer {
  return answerRefusal(new Fault('idempotency_key_reused'), who.call);
}
