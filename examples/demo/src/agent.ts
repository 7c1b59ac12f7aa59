/** The agent of the demo: it knows the address of the ingress and its own key, and speaks REST. */
import { callOutcomeSchema, callPendingSchema, problemSchema, toolListSchema } from '@interlock/contracts';
import type { z } from 'zod';
import { holds, shaped } from './expect.ts';

/** Longer than the ingress takes to answer at the latest. */
const ANSWER_TIMEOUT_MS = 60_000;
const WAIT_SECONDS = 30;

/** One exchange, as the agent sees it. */
export interface Answer {
  status: number;
  retryAfter: string | null;
  body: unknown;
  tookMs: number;
}

export type ToolArguments = Record<string, string | number>;

/** Speaks to the ingress as an agent does. */
export class Agent {
  readonly name: string;
  readonly #url: string;
  readonly #key: string;
  readonly #signal: AbortSignal;
  /** Every body as text, after the client took the framing of HTTP away. */
  readonly bodies: string[] = [];

  constructor(options: { name: string; url: string; key: string; signal: AbortSignal }) {
    this.name = options.name;
    this.#url = options.url;
    this.#key = options.key;
    this.#signal = options.signal;
  }

  /** Names of the tools it can call. */
  async tools(): Promise<string[]> {
    const { body } = await this.#ask('/v1/tools', { method: 'GET' });
    return shaped('The list of tools', toolListSchema, body).tools.map(({ name }) => name);
  }

  /** Calls a tool. */
  async call(tool: string, parameters: ToolArguments, idempotencyKey?: string): Promise<Answer> {
    return await this.#ask('/v1/calls', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      },
      body: JSON.stringify({ tool, arguments: parameters }),
    });
  }

  /** Asks what became of a call, and waits a while for it to be over. */
  async lookAt(call: string): Promise<Answer> {
    return await this.#ask(`/v1/calls/${call}?wait=${WAIT_SECONDS}`, { method: 'GET' });
  }

  async #ask(path: string, request: RequestInit): Promise<Answer> {
    const startedMs = performance.now();
    const response = await fetch(new URL(path, this.#url), {
      ...request,
      // What goes over the wire is to be read as it is.
      headers: { ...request.headers, authorization: `Bearer ${this.#key}`, 'accept-encoding': 'identity' },
      redirect: 'error',
      signal: AbortSignal.any([this.#signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]),
    });
    const text = await response.text();
    this.bodies.push(text);
    const { status, headers } = response;
    holds(
      headers.get('content-encoding') === null,
      'What the agent got is packed and cannot be read as it is.',
    );
    const body: unknown = JSON.parse(text);
    return { status, retryAfter: headers.get('retry-after'), body, tookMs: performance.now() - startedMs };
  }
}

/** Returns the outcome an answer tells of. Throws `Broken` where it is no outcome. */
export function outcomeOf({ body }: Answer): z.output<typeof callOutcomeSchema> {
  return shaped('The answer', callOutcomeSchema, body);
}

/** Returns the state of a call that is not over. Throws `Broken` where it is over. */
export function pendingOf({ body }: Answer): z.output<typeof callPendingSchema> {
  return shaped('The answer', callPendingSchema, body);
}

/** Returns the problem an answer tells of. Throws `Broken` where there is none. */
export function problemOf({ body }: Answer): z.output<typeof problemSchema> {
  return shaped('The refusal', problemSchema, body);
}
