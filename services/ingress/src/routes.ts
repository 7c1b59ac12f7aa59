import { type FaultCode, faultCodesOf, faults } from '@interlock/contracts';
import type { Answer } from './answer.ts';

/** A stored refusal, and so an answer about a call, may have any code of the agents' API. */
const callCodes = faultCodesOf('agents');

const anyCodes: FaultCode[] = ['header_invalid', 'request_timeout', 'dependency_unavailable', 'internal'];
const bodyCodes: FaultCode[] = [
  'body_malformed',
  'body_duplicate_key',
  'unicode_malformed',
  'body_too_large',
  'body_too_deep',
  'string_too_long',
  'body_invalid',
  'content_type_unsupported',
];
const agentCodes: FaultCode[] = ['key_missing', 'key_invalid', 'agent_flood', 'overloaded', ...anyCodes];

interface Route {
  method: 'GET' | 'POST';
  url: string;
  /** Statuses of answers that are not problem documents. */
  successes: readonly number[];
  codes: readonly FaultCode[];
}

/** Every route and everything it may answer: each answer is checked against it, and the description is made from it. */
export const routes = {
  'POST /v1/calls': { method: 'POST', url: '/v1/calls', successes: [200, 202], codes: callCodes },
  'GET /v1/calls/{call}': { method: 'GET', url: '/v1/calls/:call', successes: [200, 202], codes: callCodes },
  'GET /v1/tools': {
    method: 'GET',
    url: '/v1/tools',
    successes: [200],
    codes: [...agentCodes, 'policy_missing', 'policy_error', 'statement_invalid'],
  },
  'POST /access/v1/evaluation': {
    method: 'POST',
    url: '/access/v1/evaluation',
    successes: [200],
    codes: [...bodyCodes, ...agentCodes, 'ledger_full', 'policy_error', 'policy_missing'],
  },
  'POST /access/v1/evaluations': {
    method: 'POST',
    url: '/access/v1/evaluations',
    successes: [200],
    codes: [...bodyCodes, ...agentCodes, 'ledger_full', 'policy_error', 'policy_missing'],
  },
  'GET /.well-known/authzen-configuration': {
    method: 'GET',
    url: '/.well-known/authzen-configuration',
    successes: [200],
    codes: anyCodes,
  },
  'GET /.well-known/interlock-proof': {
    method: 'GET',
    url: '/.well-known/interlock-proof',
    successes: [200],
    codes: ['query_invalid', ...anyCodes],
  },
  'GET /openapi.json': { method: 'GET', url: '/openapi.json', successes: [200], codes: anyCodes },
} as const satisfies Record<string, Route>;
export type RouteName = keyof typeof routes;

/** The names of all routes. */
export const routeNames = [
  'POST /v1/calls',
  'GET /v1/calls/{call}',
  'GET /v1/tools',
  'POST /access/v1/evaluation',
  'POST /access/v1/evaluations',
  'GET /.well-known/authzen-configuration',
  'GET /.well-known/interlock-proof',
  'GET /openapi.json',
] as const satisfies RouteName[];

/** Returns every status a route may answer with, each once, ascending. */
export function statusesOf(name: RouteName): number[] {
  const { successes, codes } = routes[name];
  return [...new Set([...successes, ...codes.map((code) => faults[code].status)])].sort(
    (one, other) => one - other,
  );
}

const codesOf = new Map(routeNames.map((name) => [name, new Set<FaultCode>(routes[name].codes)]));

/** True where the description of a route names an answer: its fault, or the status of one that is no problem document. */
export function isDocumented(name: RouteName, answer: Answer): boolean {
  if (answer.mediaType === 'application/problem+json')
    return codesOf.get(name)?.has(answer.body.code) === true;
  const successes: readonly number[] = routes[name].successes;
  return successes.includes(answer.status);
}

/** Returns the methods that an address accepts, or undefined for an address that does not exist. */
export function methodsAt(path: string): string[] | undefined {
  const methods = Object.values(routes)
    .filter(({ url }) => url === path || (url === '/v1/calls/:call' && /^\/v1\/calls\/[^/]+$/.test(path)))
    .map(({ method }) => method);
  return methods.length === 0 ? undefined : methods;
}
