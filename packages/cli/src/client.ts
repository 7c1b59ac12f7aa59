/** The two doors the command speaks to: the console for people, the ingress for agents. */
import { problemSchema } from '@interlock/contracts';
import { exitCodes, Failure } from '@interlock/shell';
import type { z } from 'zod';
import { type Context, readContext } from './context.ts';
import { type PlaceOptions, placesOf } from './places.ts';

/** Longer than the longest act of the console, which is a check of the whole audit trail. */
const CONSOLE_TIMEOUT_MS = 130_000;
const INGRESS_TIMEOUT_MS = 160_000;
/** A recorded call fits one message of the bus, which takes 2 MiB. */
const LINE_LENGTH_MAX = 4 * 1_048_576;

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
  /** Reads an answer of bytes. */
  bytes(path: string): Promise<Uint8Array>;
  /** Reads an answer of many lines as they come; resolves when the first may be read. */
  lines(path: string): Promise<AsyncGenerator<string>>;
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
  return doorAt({ url, token, headers: {}, timeoutMs: CONSOLE_TIMEOUT_MS });
}

/** Returns the ingress's door for an agent's key. */
export function ingressDoor(url: string, key: string, headers: Readonly<Record<string, string>> = {}): Door {
  return doorAt({ url, token: key, headers, timeoutMs: INGRESS_TIMEOUT_MS });
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

interface Place {
  url: string;
  token: string;
  headers: Readonly<Record<string, string>>;
  timeoutMs: number;
}

function doorAt(place: Place): Door {
  return {
    ask: (ask) => askDoor(place, ask),
    async bytes(path) {
      const response = await send(place, { method: 'GET', path }, AbortSignal.timeout(place.timeoutMs));
      if (!response.ok) throw refusalOf(response.status, await readJson(response));
      return new Uint8Array(await response.arrayBuffer());
    },
    async lines(path) {
      const stall = new AbortController();
      const alarm = setTimeout(() => stall.abort(), place.timeoutMs);
      try {
        const response = await send(place, { method: 'GET', path }, stall.signal);
        if (!response.ok) throw refusalOf(response.status, await readJson(response));
        return linesOf(response, place, alarm);
      } catch (error) {
        clearTimeout(alarm);
        throw error;
      }
    },
  };
}

async function askDoor<S extends z.ZodType>(
  place: Place,
  { method, path, body, reply }: Ask<S>,
): Promise<z.output<S>> {
  const request = body === undefined ? { method, path } : { method, path, body };
  const response = await send(place, request, AbortSignal.timeout(place.timeoutMs));
  const answer: unknown = await readJson(response);
  if (!response.ok) throw refusalOf(response.status, answer);
  const parsed = reply.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw unexpected(place, parsed.error);
}

/** An answer may take as long as it likes while something comes: each piece starts the alarm again. */
async function* linesOf(
  response: Response,
  place: Place,
  alarm: ReturnType<typeof setTimeout>,
): AsyncGenerator<string> {
  let rest = '';
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body ?? []) {
      alarm.refresh();
      const pieces = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = pieces.pop() ?? '';
      if (rest.length > LINE_LENGTH_MAX) throw unexpected(place, new Error('A line is too long.'));
      yield* pieces;
    }
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw new Failure('answer_broken', `The answer of ${place.url} broke off.`, {
      exitCode: exitCodes.unreachable,
      cause,
      next: 'Run the command again; look with interlock doctor.',
    });
  } finally {
    clearTimeout(alarm);
  }
  if (rest !== '') yield rest;
}

function unexpected({ url }: Place, cause: Error): Failure {
  return new Failure('answer_unexpected', `${url} answered in a way this version does not know.`, {
    cause,
    next: 'Use the interlock command that belongs to the running version.',
  });
}

async function send(
  { url, token, headers }: Place,
  { method, path, body }: { method: string; path: string; body?: object },
  signal: AbortSignal,
): Promise<Response> {
  const target = new URL(path, url);
  try {
    return await fetch(target, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'error',
      signal,
    });
  } catch (cause) {
    throw new Failure('unreachable', `${target.origin} does not answer.`, {
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
