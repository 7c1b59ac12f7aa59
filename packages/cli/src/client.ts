/** Clients of the two APIs: the management API for people, the ingress for agents. */
import { problemSchema } from '@interlock/contracts';
import { Failure, type KeyringSource } from '@interlock/shell';
import type { z } from 'zod';
import { type Context, readContext } from './context.ts';
import { type FolderOptions, foldersOf } from './folders.ts';
import { oneLine } from './output.ts';
import { type Expected, type Sending, sendProven } from './proven-connection.ts';

/** Longer than the longest management operation, which is a check of the whole audit trail. */
const MANAGEMENT_TIMEOUT_MS = 130_000;
const INGRESS_TIMEOUT_MS = 160_000;
/** A recorded call fits one message of the bus, which takes 2 MiB. */
const LINE_LENGTH_MAX = 4 * 1_048_576;

/** One request, and the schema of its answer. */
export interface ApiRequest<S extends z.ZodType> {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  path: string;
  body?: object;
  reply: S;
}

/** An API together with a token for it. Every method throws the refusal of the API, or `unreachable`. */
export interface ApiClient {
  request<S extends z.ZodType>(request: ApiRequest<S>): Promise<z.output<S>>;
  /** Reads an answer of bytes. */
  bytes(path: string): Promise<Uint8Array>;
  /** Reads an answer of many lines as they arrive; resolves once the first may be read. */
  lines(path: string): Promise<AsyncGenerator<string>>;
}

export interface PersonOptions extends FolderOptions {
  /** The person who acts. */
  as?: string;
}

/** Returns a client of the management API for the person who acts. Throws `not_running` or `person_unknown`. */
export async function managementClientOf(options: PersonOptions): Promise<ApiClient> {
  const { data } = foldersOf(options);
  const context = await readContext(data);
  if (context.console === undefined) throw notRunning(data);
  return managementClient(context.console, tokenOf(context, options.as), context.trust);
}

/**
 * Returns a client of the management API with a person's token. The token is sent to nobody but the console: over https
 * its certificate proves it, over http its own signature, verified with `trust`.
 */
export function managementClient(url: string, token: string, trust: KeyringSource | undefined): ApiClient {
  const expected: Expected = { service: 'console', trust };
  return clientAt({ url, token, headers: {}, timeoutMs: MANAGEMENT_TIMEOUT_MS, expected });
}

/** Returns a client of the ingress with an agent's key, which is likewise sent to nobody else. */
export function ingressClient(
  url: string,
  key: string,
  trust: KeyringSource | undefined,
  headers: Readonly<Record<string, string>> = {},
): ApiClient {
  const expected: Expected = { service: 'ingress', trust };
  return clientAt({ url, token: key, headers, timeoutMs: INGRESS_TIMEOUT_MS, expected });
}

/** Returns the token of the person who acts. Throws `person_unknown`. */
export function tokenOf(context: Context, person: string | undefined = context.person): string {
  const token = person === undefined ? undefined : context.people[person];
  if (token !== undefined) return token;
  const known = Object.keys(context.people).join(', ');
  const missing =
    person === undefined
      ? 'No person was named, and the data folder holds no token of an administrator.'
      : `The data folder holds no token of ${person}.`;
  throw new Failure('person_unknown', missing, {
    next:
      known === '' ? 'It holds no token of anybody.' : `It holds tokens of: ${known}. Choose one with --as.`,
  });
}

/** Returns the failure of a command that needs a running installation. */
export function notRunning(data: string): Failure {
  return new Failure('not_running', `Interlock was never started with the data folder ${data}.`, {
    next: 'Start it with interlock up, or name its data folder with --data.',
  });
}

interface Endpoint {
  url: string;
  token: string;
  headers: Readonly<Record<string, string>>;
  timeoutMs: number;
  expected: Expected;
}

function clientAt(endpoint: Endpoint): ApiClient {
  const { timeoutMs } = endpoint;
  return {
    request: (request) => requestJson(endpoint, request),
    async bytes(path) {
      const response = await send(endpoint, { method: 'GET', path }, AbortSignal.timeout(timeoutMs));
      if (!response.ok) throw refusalOf(response.status, await readJson(response));
      return new Uint8Array(await response.arrayBuffer());
    },
    async lines(path) {
      const stalled = new AbortController();
      const timer = setTimeout(() => stalled.abort(), timeoutMs);
      try {
        const response = await send(endpoint, { method: 'GET', path }, stalled.signal);
        if (!response.ok) throw refusalOf(response.status, await readJson(response));
        return linesOf(response, endpoint, timer);
      } catch (error) {
        clearTimeout(timer);
        throw error;
      }
    },
  };
}

async function requestJson<S extends z.ZodType>(
  endpoint: Endpoint,
  { method, path, body, reply }: ApiRequest<S>,
): Promise<z.output<S>> {
  const request = body === undefined ? { method, path } : { method, path, body };
  const response = await send(endpoint, request, AbortSignal.timeout(endpoint.timeoutMs));
  const answer: unknown = await readJson(response);
  if (!response.ok) throw refusalOf(response.status, answer);
  const parsed = reply.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw unexpected(endpoint, parsed.error);
}

/** The whole answer has no deadline: each piece that arrives starts the timer again. */
async function* linesOf(
  response: Response,
  endpoint: Endpoint,
  timer: ReturnType<typeof setTimeout>,
): AsyncGenerator<string> {
  let rest = '';
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body ?? []) {
      timer.refresh();
      const pieces = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = pieces.pop() ?? '';
      if (rest.length > LINE_LENGTH_MAX) throw unexpected(endpoint, new Error('A line is too long.'));
      yield* pieces;
    }
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw new Failure(
      'answer_broken',
      `The connection to ${endpoint.url} ended in the middle of an answer.`,
      {
        cause,
        next: 'Repeat the command. If it fails again, see what interlock doctor reports.',
      },
    );
  } finally {
    clearTimeout(timer);
  }
  if (rest !== '') yield rest;
}

function unexpected({ url }: Endpoint, cause: Error): Failure {
  return new Failure(
    'answer_unexpected',
    `${url} sent an answer that this version of the command does not know.`,
    {
      cause,
      next: 'Use the interlock command of the version that runs there.',
    },
  );
}

async function send(
  { url, token, headers, expected }: Endpoint,
  { method, path, body }: { method: string; path: string; body?: object },
  signal: AbortSignal,
): Promise<Response> {
  const target = new URL(path, url);
  const sending: Sending = {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal,
  };
  try {
    // Over https the certificate proves who answers.
    if (target.protocol === 'https:') return await fetch(target, { ...sending, redirect: 'error' });
    return await sendProven(target, sending, expected);
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw new Failure('unreachable', `${target.origin} does not answer.`, {
      cause,
      next: 'Start Interlock with interlock up. If it runs, see what interlock doctor reports.',
    });
  }
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return JSON.parse(await response.text());
  } catch {
    return undefined;
  }
}

function refusalOf(status: number, answer: unknown): Failure {
  const problem = problemSchema.safeParse(answer);
  if (!problem.success)
    return new Failure('answer_unexpected', `The answer has the status ${status} and gives no reason.`);
  const { code, detail, rule, pointer, call, next } = problem.data;
  const notes = [
    ...(rule === undefined ? [] : [`rule ${rule}`]),
    ...(pointer === undefined || pointer === '' ? [] : [`at ${pointer}`]),
    ...(call === undefined ? [] : [`call ${call}`]),
  ];
  const noted = notes.length === 0 ? detail : `${detail} (${notes.join(', ')})`;
  return new Failure(code, oneLine(noted), { next: oneLine(next) });
}
