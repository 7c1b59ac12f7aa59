/** The two doors the command speaks to: the console for people, the ingress for agents. */
import { problemSchema } from '@interlock/contracts';
import type { z } from 'zod';
import { type Context, readContext } from './context.ts';
import { exitCodes, Failure } from './failure.ts';
import { type PlaceOptions, placesOf } from './places.ts';

/** Longer than the longest act of the console, which is a check of the whole audit trail. */
const CONSOLE_TIMEOUT_MS = 130_000;
const INGRESS_TIMEOUT_MS = 160_000;

export interface Ask<S extends z.ZodType> {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  path: string;
  body?: object;
  /** What the answer must be. */
  reply: S;
}

/** A door with the right to ask it. */
export interface Door {
  ask<S extends z.ZodType>(ask: Ask<S>): Promise<z.output<S>>;
}

export interface ConsoleOptions extends PlaceOptions {
  /** The person who acts. */
  as?: string;
}

/** Returns the console as a person reaches it. Throws `not_running` or `person_unknown`. */
export async function consoleOf(options: ConsoleOptions): Promise<Door> {
  const { data } = placesOf(options);
  const context = await readContext(data);
  if (context.console === undefined) throw notRunning(data);
  return consoleDoor(context.console, tokenOf(context, options.as));
}

/** Returns the console's door for a token. */
export function consoleDoor(url: string, token: string): Door {
  return { ask: (ask) => askDoor(url, token, ask, {}, CONSOLE_TIMEOUT_MS) };
}

/** Returns the ingress's door for an agent's key. */
export function ingressDoor(url: string, key: string, headers: Readonly<Record<string, string>> = {}): Door {
  return { ask: (ask) => askDoor(url, key, ask, headers, INGRESS_TIMEOUT_MS) };
}

/** Returns the token of who acts. */
export function tokenOf(context: Context, person: string | undefined = context.person): string {
  const token = person === undefined ? undefined : context.people[person];
  if (token !== undefined) return token;
  const known = Object.keys(context.people).join(', ') || 'nobody';
  throw new Failure('person_unknown', `There is no token for ${person ?? 'anybody'} here.`, {
    next: `Tokens are known for: ${known}. Choose with --as.`,
  });
}

/** Returns the failure of a command that needs a running house. */
export function notRunning(data: string): Failure {
  return new Failure('not_running', `Nothing was ever started with the data folder ${data}.`, {
    exitCode: exitCodes.unreachable,
    next: 'Start it with interlock up, or name its folder with --data.',
  });
}

async function askDoor<S extends z.ZodType>(
  url: string,
  token: string,
  { method, path, body, reply }: Ask<S>,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<z.output<S>> {
  const response = await send(new URL(path, url), {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  const answer: unknown = await readJson(response);
  if (!response.ok) throw refusalOf(response.status, answer);
  const parsed = reply.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new Failure('answer_unexpected', `${url} answered in a way this version does not know.`, {
    cause: parsed.error,
    next: 'Use the interlock command that belongs to the running version.',
  });
}

async function send(url: URL, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, request);
  } catch (cause) {
    throw new Failure('unreachable', `${url.origin} does not answer.`, {
      exitCode: exitCodes.unreachable,
      cause,
      next: 'Is it running? Start it with interlock up; look with interlock doctor.',
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
  if (!problem.success) return new Failure('answer_unexpected', `The answer was ${status} without a reason.`);
  const { code, detail, rule, pointer, call, next } = problem.data;
  const notes = [
    ...(rule === undefined ? [] : [`rule ${rule}`]),
    ...(pointer === undefined || pointer === '' ? [] : [`at ${pointer}`]),
    ...(call === undefined ? [] : [`call ${call}`]),
  ];
  const noted = notes.length === 0 ? detail : `${detail} (${notes.join(', ')})`;
  return new Failure(code, noted, { next });
}
