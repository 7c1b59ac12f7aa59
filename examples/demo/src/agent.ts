/** The agent of the demo: it has the address of the ingress and its own key, and uses the HTTP API. */
import { callOutcomeSchema, callPendingSchema, problemSchema, toolListSchema } from '@interlock/contracts';
import type { z } from 'zod';
import { check, parsed } from './expect.ts';

/** Longer than the ingress waits before it answers. */
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

/** A client of the ingress, as an agent has one. */
export class Agent {
  readonly name: string;
  readonly #url: string;
  readonly #key: string;
  readonly #signal: AbortSignal;
  /** The body of every answer. */
  readonly bodies: string[] = [];

  constructor(options: { name: string; url: string; key: string; signal: AbortSignal }) {
    this.name = options.name;
    this.#url = options.url;
    this.#key = options.key;
    this.#signal = options.signal;
  }

  /** Returns the names of the tools it may call. */
  async tools(): Promise<string[]> {
    const { body } = await this.#ask('/v1/tools', { method: 'GET' });
    return parsed('The list of tools', toolListSchema, body).tools.map(({ name }) => name);
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

  /** Asks for the outcome of a call, and waits a while for it. */
  async outcome(call: string): Promise<Answer> {
    return await this.#ask(`/v1/calls/${call}?wait=${WAIT_SECONDS}`, { method: 'GET' });
  }

  async #ask(path: string, request: RequestInit): Promise<Answer> {
    const startedMs = performance.now();
    const response = await fetch(new URL(path, this.#url), {
      ...request,
      // The wire tap searches the bytes, so they must not be compressed.
      headers: { ...request.headers, authorization: `Bearer ${this.#key}`, 'accept-encoding': 'identity' },
      redirect: 'error',
      signal: AbortSignal.any([this.#signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]),
    });
    const text = await response.text();
    this.bodies.push(text);
    const { status, headers } = response;
    check(
      headers.get('content-encoding') === null,
      'The answer to the agent is compressed, so it cannot be searched.',
    );
    const body: unknown = JSON.parse(text);
    return { status, retryAfter: headers.get('retry-after'), body, tookMs: performance.now() - startedMs };
  }
}

/** Returns the outcome in an answer. Throws `Unexpected` when it holds none. */
export function outcomeOf({ body }: Answer): z.output<typeof callOutcomeSchema> {
  return parsed('The answer', callOutcomeSchema, body);
}

/** Returns the state of a call that is not over. Throws `Unexpected` when it is over. */
export function pendingOf({ body }: Answer): z.output<typeof callPendingSchema> {
  return parsed('The answer', callPendingSchema, body);
}

/** Returns the problem in an answer. Throws `Unexpected` when it holds none. */
export function problemOf({ body }: Answer): z.output<typeof problemSchema> {
  return parsed('The refusal', problemSchema, body);
}
