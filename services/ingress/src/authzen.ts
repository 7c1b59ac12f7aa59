/**
 * The door of other enforcement points: AuthZEN Authorization API 1.0. It answers what policy says of a call that is
 * carried out elsewhere.
 *
 * 1. Same engine, same audit: a decision is on the ledger before it is told, and so is a refusal of this door.
 * 2. An agent asks about itself; only one with the role `enforcement-point` asks about others, of its own tenant.
 * 3. `decision` is true only where policy allows. `ask` is false, and the context says so.
 */
import type { Bus } from '@interlock/bus';
import {
  type AgentEntry,
  type Call,
  canonicalJson,
  evaluationSchema,
  evaluationsSchema,
  Fault,
  faults,
  idSchema,
  limits,
  newId,
  sha256,
} from '@interlock/contracts';
import { refusedEvent } from '@interlock/gate';
import type { Keyring } from '@interlock/keys';
import { z } from 'zod';
import type { Answer } from './answer.ts';
import type { JsonObject } from './close-schema.ts';
import { readShape } from './request.ts';
import type { KnownTool } from './schema.ts';
import { parseStrictJson } from './strict-json.ts';

/** Questions of one request that are with the decider at once. */
const PARALLEL = 8;
/** A decision takes milliseconds; longer means that no decider is there. */
const DECIDE_TIMEOUT_MS = 5_000;
const ROLE = 'enforcement-point';
const ACTION = 'execute_tool';

const objectSchema = z.custom<JsonObject>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'must be an object',
);
/** What the parser gave is JSON already, so arguments are not walked again. */
const askedSchema = evaluationSchema.extend({
  resource: evaluationSchema.shape.resource.extend({
    properties: z.looseObject({ arguments: objectSchema.optional() }).optional(),
  }),
});
type Evaluation = z.infer<typeof askedSchema>;

const askedManySchema = evaluationsSchema
  .pick({ evaluations: true, options: true })
  .extend({ evaluations: z.array(objectSchema).max(limits.evaluations).optional() });
type Semantic = NonNullable<z.infer<typeof askedManySchema>['options']>['evaluations_semantic'];

/** An answer as AuthZEN has it; what is in the context is ours. */
interface Decision {
  decision: boolean;
  context: object;
}

export interface AuthzenParts {
  bus: Pick<Bus, 'ask' | 'refuse'>;
  /** Throw `dependency_unavailable` while the copy may be behind. */
  tools: (name: string) => KnownTool | undefined;
  agents: (tenant: string, agent: string) => AgentEntry | undefined;
  keyring: Keyring;
  nowMs: () => number;
}

/** Who asks, from where, and what it may still ask in this window. */
export interface Asking {
  asker: AgentEntry;
  origin: Call['origin'];
  /** Takes room for more questions of the same request. Throws `agent_flood`. */
  spend: (questions: number) => void;
}

/** `POST /access/v1/evaluation` (section 6). Throws faults of the body, and `dependency_unavailable`. */
export async function evaluate(body: Buffer, asking: Asking, parts: AuthzenParts): Promise<Answer> {
  const evaluation = readShape(askedSchema, parseStrictJson(body, limits));
  return answer(await decide(evaluation, asking, parts));
}

/**
 * `POST /access/v1/evaluations` (section 7): members given above are the defaults of each question. Without questions
 * it is one evaluation. Questions stop where the semantic says so.
 */
export async function evaluateAll(body: Buffer, asking: Asking, parts: AuthzenParts): Promise<Answer> {
  const document = readShape(objectSchema, parseStrictJson(body, limits));
  const { evaluations = [], options } = readShape(askedManySchema, document);
  if (evaluations.length === 0) return await evaluate(body, asking, parts);
  asking.spend(evaluations.length - 1);
  const { evaluations: _, options: __, ...defaults } = document;
  const questions = evaluations.map((one, index) => async () => {
    try {
      return await decide(
        readShape(askedSchema, { ...defaults, ...one }, ['evaluations', index]),
        asking,
        parts,
      );
    } catch (error) {
      if (error instanceof Fault) return failed(error);
      throw error;
    }
  });
  return answer({ evaluations: await inTurn(questions, options?.evaluations_semantic ?? 'execute_all') });
}

async function inTurn(questions: (() => Promise<Decision>)[], semantic: Semantic): Promise<Decision[]> {
  const decisions: Decision[] = [];
  const width = semantic === 'execute_all' ? PARALLEL : 1;
  for (let next = 0; next < questions.length; next += width) {
    decisions.push(...(await Promise.all(questions.slice(next, next + width).map((ask) => ask()))));
    const last = decisions.at(-1)?.decision;
    if (semantic === 'deny_on_first_deny' && last === false) break;
    if (semantic === 'permit_on_first_permit' && last === true) break;
  }
  return decisions;
}

async function decide(evaluation: Evaluation, asking: Asking, parts: AuthzenParts): Promise<Decision> {
  const call = newId('ev');
  const value = evaluation.resource.properties?.arguments ?? {};
  const text = canonicalJson(value);
  try {
    const { subject, tool } = named(evaluation, asking, parts);
    if (Buffer.byteLength(text) > limits.argumentsBytes) throw new Fault('arguments_too_large');
    tool.check(value);
    const { tenant, agent, user, session } = subject;
    const purpose = evaluation.context?.purpose;
    const said = await parts.bus.ask(
      'decider.evaluate',
      {
        ...{ tenant, agent, user, session, call, asker: asking.asker.agent },
        ...{ tool: tool.tool.name, toolVersion: tool.version, arguments: text },
        ...(purpose === undefined ? {} : { purpose }),
        ...(asking.origin === undefined ? {} : { origin: asking.origin }),
      },
      DECIDE_TIMEOUT_MS,
    );
    return { decision: said.verdict === 'allow', context: { evaluation: call, ...said } };
  } catch (error) {
    if (!(error instanceof Fault) || error.retryable) throw error;
    return await refuse(error, { call, evaluation, text }, asking, parts);
  }
}

/** Returns whom and what a question is about. Throws `policy_denied` or `tool_unknown` where there is no such thing. */
function named(
  { subject, action, resource }: Evaluation,
  { asker }: Asking,
  { agents, tools }: AuthzenParts,
): { subject: AgentEntry; tool: KnownTool } {
  if (subject.type !== 'agent') throw unknown(`Subjects are of the type "agent".`);
  if (action.name !== ACTION) throw unknown(`The only action is "${ACTION}".`);
  if (resource.type !== 'tool') throw unknown(`Resources are of the type "tool".`);
  if (subject.id !== asker.agent && !asker.roles.includes(ROLE))
    throw unknown(`Only an agent with the role "${ROLE}" may ask about others.`);
  // Checked before it becomes part of a key.
  const id = idSchema.safeParse(subject.id);
  const about = id.success ? agents(asker.tenant, id.data) : undefined;
  if (about === undefined) throw unknown('There is no such agent in your tenant.');
  const tool = idSchema.safeParse(resource.id).success ? tools(resource.id) : undefined;
  if (tool === undefined) throw new Fault('tool_unknown');
  return { subject: about, tool };
}

function unknown(detail: string): Fault {
  return new Fault('policy_denied', { detail });
}

const UNKNOWN = 'unknown';

/** Writes a refusal of this door and then tells it. Throws `dependency_unavailable` where it cannot be written. */
async function refuse(
  fault: Fault,
  { call, evaluation, text }: { call: string; evaluation: Evaluation; text: string },
  { asker }: Asking,
  { bus, keyring, nowMs }: AuthzenParts,
): Promise<Decision> {
  const idOr = (id: string) => idSchema.safeParse(id).data ?? UNKNOWN;
  const { tenant } = asker;
  const [agent, tool] = [idOr(evaluation.subject.id), idOr(evaluation.resource.id)];
  const about = { tenant, agent, call, tool, argumentsDigest: sha256(text) };
  const kept = Buffer.byteLength(text) > limits.argumentsBytes ? {} : { arguments: text };
  const evidence = { call: { ...about, ...kept }, detail: { door: 'authzen', asker: asker.agent } };
  await bus.refuse(refusedEvent({ call: about, by: 'ingress', fault, evidence }, keyring, nowMs()));
  return failed(fault, call);
}

/** Section 7.2.1 has errors in the context of a question. */
function failed({ code, detail, pointer }: Fault, evaluation?: string): Decision {
  const error = { status: faults[code].status, message: detail };
  return {
    decision: false,
    context: {
      ...(evaluation === undefined ? {} : { evaluation }),
      ...{ code, error },
      ...(pointer === undefined ? {} : { pointer }),
    },
  };
}

/** `GET /.well-known/authzen-configuration` (section 9). */
export function describeDecisionPoint(url: string): object {
  const base = url.replace(/\/+$/, '');
  return {
    policy_decision_point: base,
    access_evaluation_endpoint: `${base}/access/v1/evaluation`,
    access_evaluations_endpoint: `${base}/access/v1/evaluations`,
  };
}

function answer(body: object): Answer {
  return { status: 200, mediaType: 'application/json', body, headers: {} };
}
