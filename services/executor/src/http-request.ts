/** The request of an HTTP tool within the egress policy of the tool, and with its credential. */
import { Fault, type HttpTarget, type Injection } from '@interlock/contracts';
import {
  assertHeaderValue,
  basicSecrets,
  type CompiledPolicy,
  compilePolicy,
  type EgressPolicy,
  permitUrl,
} from '@interlock/egress';
import type { Secret } from '@interlock/keys';
import { type Arguments, addHeader, buildRequest, type HttpRequest, type HttpTool } from '@interlock/request';

/** Of the timeout of a request, at most this long for name resolution, connecting and TLS. */
export const CONNECT_TIMEOUT_MS = 5_000;

/** Builds a tool's request. Throws what `buildRequest` throws, and `egress_destination_refused`. */
export function buildHttpRequest(tool: HttpTool, args: Arguments, call: string): HttpRequest {
  const request = buildRequest(tool, args, call);
  permitUrl(request.url, compiledOf(tool.target));
  return request;
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

function taken(name: string): Fault {
  return new Fault('configuration_invalid', { detail: `The tool sets ${name} twice.` });
}
