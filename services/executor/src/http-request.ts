/** The request of an HTTP tool within the egress policy of the tool, and with its credential. */
import { Fault, type HttpTarget } from '@interlock/contracts';
import { type CompiledPolicy, compilePolicy, type EgressPolicy, permitUrl } from '@interlock/egress';
import {
  type Arguments,
  buildRequest,
  type HttpRequest,
  type HttpTool,
  type InjectedRequest,
  injectCredentials,
} from '@interlock/request';
import type { Lease } from './lease.ts';

/** Of the timeout of a request, at most this long for name resolution, connecting and TLS. */
export const CONNECT_TIMEOUT_MS = 5_000;

/** Builds a tool's request. Throws what `buildRequest` throws, and `egress_destination_refused`. */
export function buildHttpRequest(
  tool: HttpTool,
  args: Arguments,
  call: string,
  secrets: Readonly<Record<string, string>> = {},
): HttpRequest {
  const request = buildRequest(tool, args, call, secrets);
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

/**
 * Puts the credentials of a lease into a request. Throws `lease_refused` when the request goes to another origin than the
 * lease is for, and what `injectCredentials` throws.
 */
export async function injectLease(
  request: HttpRequest,
  { credentials, origin }: Lease,
  nowMs: number,
): Promise<InjectedRequest> {
  if (new URL(request.url).origin !== new URL(origin).origin)
    throw new Fault('lease_refused', { detail: 'The credential is for another destination.' });
  return await injectCredentials(request, credentials, new Date(nowMs));
}
