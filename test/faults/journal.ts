/** What agents sent and what they were answered, to be compared with what happened. */

import { newId } from '@interlock/contracts';
import { eventually } from '@interlock/testkit';
import type { HttpAnswer } from '../http.ts';
import type { AgentName, Line } from '../line.ts';

/** A call may wait out its own limit and a claim's before its key can be used for another try. */
const KNOWN_MS = 100_000;

/** One wish of an agent, however often it was sent. Its text is in the arguments and marks it at the upstream. */
export interface Wish {
  tool: string;
  text: string;
  agent: AgentName;
  /** Undefined for a call that is sent once and never asked for again. */
  idempotencyKey: string | undefined;
  /** Every answer there was, the first being the one to the request that met the fault. */
  answers: HttpAnswer[];
  /** Resolves when the first request was answered or its connection broke. */
  first: Promise<HttpAnswer | undefined>;
}

export class Journal {
  readonly wishes: Wish[] = [];
  readonly #line: Line;

  constructor(line: Line) {
    this.#line = line;
  }

  /** Sends a call under a key of its own, or without one, and returns at once. */
  send(tool: string, { keyless = false }: { keyless?: boolean } = {}): Wish {
    const text = newId('wish');
    const answers: HttpAnswer[] = [];
    const idempotencyKey = keyless ? undefined : `key-${text}`;
    const wish = { tool, text, agent: 'helper' as const, idempotencyKey, answers };
    const sent: Wish = { ...wish, first: this.#ask(wish) };
    this.wishes.push(sent);
    return sent;
  }

  /** Sends the wish again under its key until it is carried out or refused for good, approving where a person is asked. */
  async untilKnown(wish: Wish): Promise<HttpAnswer | undefined> {
    const first = await wish.first;
    if (wish.idempotencyKey === undefined || (first !== undefined && isFinal(first))) return first;
    return await eventually(async () => {
      const answer = await this.again(wish);
      if (answer?.body.state === 'held') await this.#approve(answer.body.call ?? '');
      const known = answer?.status === 202 ? await this.#outcome(wish, answer.body.call ?? '') : answer;
      return known !== undefined && isFinal(known) && known;
    }, KNOWN_MS);
  }

  /** Waits until every wish has its end. */
  async untilAllKnown(): Promise<void> {
    await Promise.all(this.wishes.map((wish) => this.untilKnown(wish)));
  }

  /** Sends a wish once more; undefined when the connection breaks. */
  async again(wish: Wish): Promise<HttpAnswer | undefined> {
    return await this.#ask(wish);
  }

  async #ask({ tool, text, agent, idempotencyKey, answers }: Omit<Wish, 'first'>) {
    const key = idempotencyKey === undefined ? {} : { idempotencyKey };
    return await this.#recorded(answers, () => this.#line.call(tool, { text }, { ...key, agent }));
  }

  async #outcome({ agent, answers }: Wish, call: string) {
    return await this.#recorded(answers, () => this.#line.getCall(call, { agent, waitSeconds: 5 }));
  }

  /** A broken connection is no answer. */
  async #recorded(answers: HttpAnswer[], ask: () => Promise<HttpAnswer>): Promise<HttpAnswer | undefined> {
    try {
      const answer = await ask();
      answers.push(answer);
      return answer;
    } catch {
      return undefined;
    }
  }

  async #approve(call: string): Promise<void> {
    await this.#line.person('bob').answer(call, 'approve');
  }
}

/** The answer is the last one there will be: carried out, unknown for good, or refused. */
function isFinal({ status }: HttpAnswer): boolean {
  return status === 200 || (status >= 400 && status < 500);
}
