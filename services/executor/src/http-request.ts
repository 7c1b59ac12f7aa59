/**
 * One HTTP tool's request, from its definition and the signed arguments, before the call is claimed: what cannot
 * be built is refused and nothing was done.
 */
import { Fault, type Injection, type Tool } from '@interlock/contracts';
import {
  assertHeaderValue,
  basicSecrets,
  buildUrl,
  type CompiledPolicy,
  compilePolicy,
  type EgressPolicy,
  permitUrl,
  type Query,
} from '@interlock/egress';
import type { Secret } from '@interlock/keys';

export type HttpTarget = Extract<Tool['target'], { kind: 'http' }>;

/** Everything of a request but its identity, its signature and its trace. */
export interface HttpRequest {
  method: HttpTarget['method'];
  url: string;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array | undefined;
}

/** Of the timeout of a request, at most this long for name resolution, connecting and TLS. */
export const CONNECT_TIMEOUT_MS = 5_000;

const WHOLE_ARGUMENT = /^\{([A-Za-z0-9_.-]{1,64})\}$/;
const PLACEHOLDER = /\{\+?([A-Za-z0-9_.-]{1,64})\}/g;
/** Methods whose content has a meaning (RFC 9110 §9.3). */
const TAKES_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

type Arguments = Readonly<Record<string, unknown>>;

/**
 * Builds a tool's request. A missing argument leaves out its header or query parameter.
 * Throws `template_argument_missing`, `template_argument_refused`, `header_argument_refused`,
 * `egress_destination_refused` or `configuration_invalid`.
 */
export function buildHttpRequest(target: HttpTarget, args: Arguments, call: string): HttpRequest {
  const url = buildUrl(target.url, args, buildQuery(target.query, args));
  permitUrl(url, compiledOf(target));
  const body = buildBody(target, args);
  const headers = buildHeaders(target, args);
  if (target.idempotencyHeader !== undefined) addHeader(headers, target.idempotencyHeader, call);
  if (body === undefined) return { method: target.method, url, headers, body };
  addHeader(headers, 'content-type', 'application/json');
  return { method: target.method, url, headers, body: Buffer.from(JSON.stringify(body)) };
}

/** Returns the egress policy of a target. */
export function policyOf({ egress }: Pick<HttpTarget, 'egress'>): EgressPolicy {
  return { ...egress, connectTimeoutMs: Math.min(CONNECT_TIMEOUT_MS, egress.timeoutMs) };
}

/** A tool's definition never changes, so its policy is compiled once. */
const compiledPolicies = new WeakMap<HttpTarget, CompiledPolicy>();

function compiledOf(target: HttpTarget): CompiledPolicy {
  const compiled = compiledPolicies.get(target) ?? compilePolicy(policyOf(target));
  compiledPolicies.set(target, compiled);
  return compiled;
}

/** A request with its credential in it, and what must be redacted from every answer. */
export interface InjectedRequest {
  request: HttpRequest;
  secrets: readonly Secret[];
  sensitiveHeaders: readonly string[];
}

/**
 * Puts a credential into a request. Throws `lease_refused` when the request goes to another origin than the lease
 * is for, `credential_unusable` when no header can carry the value, and `configuration_invalid` when the tool
 * fills the same place itself.
 */
export function injectCredential(
  request: HttpRequest,
  { value, inject, origin }: { value: Secret; inject: Injection; origin: string },
): InjectedRequest {
  if (new URL(request.url).origin !== new URL(origin).origin)
    throw new Fault('lease_refused', { detail: 'The credential is for another destination.' });
  const injected = placeCredential(request, value, inject);
  return {
    request: injected,
    secrets: secretsOf({ value, inject }),
    sensitiveHeaders: inject.as === 'header' ? [inject.header] : [],
  };
}

/** Returns what must be removed from everything that comes back or is logged. */
export function secretsOf({ value, inject }: { value: Secret; inject: Injection }): readonly Secret[] {
  return inject.as === 'basic' ? basicSecrets(inject.username, value) : [value];
}

function placeCredential(request: HttpRequest, value: Secret, inject: Injection): HttpRequest {
  switch (inject.as) {
    case 'bearer':
      return withSecretHeader(request, 'authorization', `Bearer ${value.reveal()}`);
    case 'basic': {
      const pair = Buffer.from(`${inject.username}:${value.reveal()}`).toString('base64');
      return withSecretHeader(request, 'authorization', `Basic ${pair}`);
    }
    case 'header':
      return withSecretHeader(request, inject.header, `${inject.prefix}${value.reveal()}`);
    case 'query': {
      const url = new URL(request.url);
      if (url.searchParams.has(inject.parameter)) throw taken(inject.parameter);
      url.searchParams.append(inject.parameter, value.reveal());
      return { ...request, url: url.href };
    }
    default:
      return inject satisfies never;
  }
}

function withSecretHeader(request: HttpRequest, name: string, value: string): HttpRequest {
  try {
    assertHeaderValue(value, '/credential');
  } catch {
    throw new Fault('credential_unusable', { detail: 'The credential does not fit into a header.' });
  }
  const headers = { ...request.headers };
  addHeader(headers, name, value);
  return { ...request, headers };
}

/** Adds a header that nobody set before, however its name is written. Throws `configuration_invalid`. */
export function addHeader(headers: Record<string, string>, name: string, value: string): void {
  const lower = name.toLowerCase();
  if (Object.keys(headers).some((other) => other.toLowerCase() === lower)) throw taken(name);
  headers[name] = value;
}

function buildHeaders(target: HttpTarget, args: Arguments): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, template] of Object.entries(target.headers)) {
    const value = fill(template, args);
    if (value === undefined) continue;
    if (typeof value === 'object') throw refusedHeader(template);
    assertHeaderValue(String(value), pointerOf(template));
    addHeader(headers, name, String(value));
  }
  return headers;
}

function buildQuery(query: HttpTarget['query'], args: Arguments): Query {
  const filled = Object.entries(query).flatMap(([name, template]) => {
    const value = fill(template, args);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(filled);
}

type Scalar = string | number | boolean;

/** Fixed text as it is, `{argument}` as the argument's value; undefined when it is not there. */
function fill(template: string, args: Arguments): Scalar | readonly Scalar[] | undefined {
  const name = WHOLE_ARGUMENT.exec(template)?.[1];
  if (name === undefined) return template;
  const value = Object.hasOwn(args, name) ? args[name] : undefined;
  if (value === undefined || value === null) return undefined;
  if (isScalar(value)) return value;
  if (Array.isArray(value) && value.every(isScalar)) return value;
  throw new Fault('template_argument_refused', {
    detail: 'Only a text, a number, a boolean or a list of these fits here.',
    pointer: pointerOf(template),
  });
}

/** The members of the JSON body, or undefined when there is none. */
function buildBody(target: HttpTarget, args: Arguments): Record<string, unknown> | undefined {
  const { body } = target;
  if (body === 'none') return undefined;
  if (body === 'all') {
    if (!TAKES_BODY.has(target.method)) return undefined;
    const used = usedElsewhere(target);
    return Object.fromEntries(Object.entries(args).filter(([name]) => !used.has(name)));
  }
  return Object.fromEntries(
    body.filter((name) => Object.hasOwn(args, name)).map((name) => [name, args[name]]),
  );
}

function usedElsewhere({ url, headers, query }: HttpTarget): Set<string> {
  const inUrl = [...url.matchAll(PLACEHOLDER)].map(([, name]) => name);
  const inFields = [...Object.values(headers), ...Object.values(query)].map(
    (template) => WHOLE_ARGUMENT.exec(template)?.[1],
  );
  return new Set([...inUrl, ...inFields].filter((name) => name !== undefined));
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number';
}

function pointerOf(template: string): string {
  return `/${template.slice(1, -1)}`;
}

function refusedHeader(template: string): Fault {
  return new Fault('header_argument_refused', { pointer: pointerOf(template) });
}

function taken(name: string): Fault {
  return new Fault('configuration_invalid', { detail: `The tool sets ${name} twice.` });
}
