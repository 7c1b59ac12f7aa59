/** The description of the agents' API (OpenAPI 3.1), made from the schemas that check requests and the table of routes. */
import {
  agentProblemSchema,
  callOutcomeSchema,
  callPendingSchema,
  callRequestSchema,
  decisionPointSchema,
  evaluationDecisionSchema,
  evaluationDecisionsSchema,
  evaluationSchema,
  evaluationsSchema,
  type FaultCode,
  faults,
  idSchema,
  proofSchema,
  toolListSchema,
} from '@interlock/contracts';
import { z } from 'zod';
import { type RouteName, routes, statusesOf } from './routes.ts';

const schemas = {
  CallRequest: callRequestSchema,
  CallOutcome: callOutcomeSchema,
  CallPending: callPendingSchema,
  ToolList: toolListSchema,
  Evaluation: evaluationSchema,
  Evaluations: evaluationsSchema,
  Decision: evaluationDecisionSchema,
  Decisions: evaluationDecisionsSchema,
  DecisionPoint: decisionPointSchema,
  Proof: proofSchema,
  Problem: agentProblemSchema,
  Id: idSchema,
};
type SchemaName = keyof typeof schemas;

const callHeader = header('The id of the call.', { type: 'string' });
const headersOf: Readonly<Record<number, object>> = {
  202: { Location: header('The address of the outcome.', { type: 'string' }) },
  401: { 'WWW-Authenticate': header('`Bearer`.', { type: 'string' }) },
  429: {
    'Retry-After': header('Seconds to wait.', { type: 'integer' }),
    RateLimit: header(
      'The limit that was reached, what is left of it, and in how many seconds there is more.',
      {
        type: 'string',
      },
    ),
    'RateLimit-Policy': header("The agent's own cap, where that was reached.", { type: 'string' }),
  },
  405: { Allow: header('The methods that this address accepts.', { type: 'string' }) },
};

/** Returns the description as a JSON value. */
export function describeApi(): object {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Interlock',
      version: '1',
      description:
        'Calls tools under policy, limits and approval. Every error is a problem document (RFC 9457).',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths: {
      '/v1/calls': { post: postCall() },
      '/v1/calls/{call}': { get: getCall() },
      '/v1/tools': { get: getTools() },
      '/access/v1/evaluation': { post: postEvaluation() },
      '/access/v1/evaluations': { post: postEvaluations() },
      '/.well-known/authzen-configuration': { get: getDecisionPoint() },
      '/.well-known/interlock-proof': { get: getProof() },
      '/openapi.json': { get: getDescription() },
    },
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'An API key: `ilk_` and 43 characters.' },
      },
    },
  };
}

function postCall(): object {
  return {
    operationId: 'makeCall',
    summary: 'Calls a tool and waits for the stored outcome.',
    security: [{ key: [] }],
    parameters: [
      {
        name: 'Idempotency-Key',
        in: 'header',
        description: 'The same key names the same call for at least 24 hours: it happens at most once.',
        schema: { type: 'string', pattern: '^[\\x21-\\x7E]{1,255}$' },
      },
    ],
    requestBody: { required: true, content: { 'application/json': { schema: ref('CallRequest') } } },
    responses: responsesOf('POST /v1/calls', { 200: 'CallOutcome', 202: 'CallPending' }),
  };
}

function getCall(): object {
  return {
    operationId: 'getCall',
    summary: "Returns the outcome of one of the agent's own calls.",
    security: [{ key: [] }],
    parameters: [
      { name: 'call', in: 'path', required: true, schema: ref('Id') },
      {
        name: 'wait',
        in: 'query',
        description: 'Seconds to wait for the outcome.',
        schema: { type: 'integer', minimum: 0, maximum: 30 },
      },
    ],
    responses: responsesOf('GET /v1/calls/{call}', { 200: 'CallOutcome', 202: 'CallPending' }),
  };
}

function getTools(): object {
  return {
    operationId: 'listTools',
    summary: 'Lists the tools that the agent may ask for, with the schemas of their arguments.',
    security: [{ key: [] }],
    responses: responsesOf('GET /v1/tools', { 200: 'ToolList' }),
  };
}

function postEvaluation(): object {
  return {
    operationId: 'evaluate',
    summary: 'Returns what policy decides about a call that is carried out elsewhere (AuthZEN 1.0).',
    security: [{ key: [] }],
    requestBody: { required: true, content: { 'application/json': { schema: ref('Evaluation') } } },
    responses: responsesOf('POST /access/v1/evaluation', { 200: 'Decision' }),
  };
}

function postEvaluations(): object {
  return {
    operationId: 'evaluateAll',
    summary: 'The same for several calls; members beside the list are the defaults of each (AuthZEN 1.0).',
    security: [{ key: [] }],
    requestBody: { required: true, content: { 'application/json': { schema: ref('Evaluations') } } },
    responses: responsesOf('POST /access/v1/evaluations', { 200: 'Decisions' }),
  };
}

function getDecisionPoint(): object {
  return {
    operationId: 'describeDecisionPoint',
    summary: 'Returns the addresses of this decision point (AuthZEN 1.0).',
    security: [],
    responses: responsesOf('GET /.well-known/authzen-configuration', { 200: 'DecisionPoint' }),
  };
}

function getProof(): object {
  return {
    operationId: 'prove',
    summary:
      'Proves that this is ingress: a statement, signed with its key, about the question and the address.',
    security: [],
    parameters: [
      {
        name: 'nonce',
        in: 'query',
        required: true,
        description: 'What the asker drew: 32 random bytes in base64url.',
        schema: { type: 'string', pattern: '^[A-Za-z0-9_-]{43}$' },
      },
    ],
    responses: responsesOf('GET /.well-known/interlock-proof', { 200: 'Proof' }),
  };
}

function getDescription(): object {
  return {
    operationId: 'describe',
    summary: 'Returns this description.',
    security: [],
    responses: responsesOf('GET /openapi.json', {}),
  };
}

function responsesOf(name: RouteName, successes: Readonly<Record<number, SchemaName>>): object {
  const isAboutCall = name === 'POST /v1/calls' || name === 'GET /v1/calls/{call}';
  const responses = statusesOf(name).map((status) => {
    const problems = routes[name].codes.filter((code) => faults[code].status === status);
    const isProblem = problems.length > 0;
    const schema = isProblem ? problemWith(problems) : successSchema(successes[status]);
    const headers = { ...(isAboutCall ? { 'Interlock-Call': callHeader } : {}), ...headersOf[status] };
    const content = { [isProblem ? 'application/problem+json' : 'application/json']: { schema } };
    const description = isProblem ? problems.map((code) => `\`${code}\``).join(', ') : successText(status);
    return [status, { description, headers, content }] as const;
  });
  return Object.fromEntries(responses);
}

/** A problem document with one of the codes that a route answers with a status. */
function problemWith(codes: readonly FaultCode[]): object {
  return { ...ref('Problem'), properties: { code: { enum: codes } } };
}

function successSchema(name: SchemaName | undefined): object {
  return name === undefined ? { type: 'object' } : ref(name);
}

function successText(status: number): string {
  return status === 202 ? 'The call waits for an approval, or it is still running.' : 'The answer.';
}

/** Definitions inside a schema become components of their own, where references find them. */
function componentSchemas(): object {
  const components: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(schemas)) {
    const { $schema: _, $defs, ...own } = z.toJSONSchema(schema, { io: 'input' });
    components[name] = moveReferences(own, name);
    for (const [inner, definition] of Object.entries($defs ?? {}))
      components[`${name}.${inner}`] = moveReferences(definition, name);
  }
  return components;
}

function moveReferences(schema: object, name: string): unknown {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', `"#/components/schemas/${name}.`));
}

function ref(name: SchemaName): object {
  return { $ref: `#/components/schemas/${name}` };
}

function header(description: string, schema: object): object {
  return { description, schema };
}
