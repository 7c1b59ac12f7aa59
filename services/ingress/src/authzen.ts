/**
 * The interface for other enforcement points: AuthZEN Authorization API 1.0. It answers what policy decides about a
 * call that is carried out elsewhere.
 *
 * Z1. A decision is on the ledger before it is answered, and so is a refusal by ingress.
 * Z2. An agent asks about itself; only one with the role `enforcement-point` asks about other agents of its tenant.
 * Z3. `decision` is true only where policy allows. `ask` gives false, and the context says so.
 */
import type { Peers } from '@interlock/bus';
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
import { UNKNOWN_NAME } from '@interlock/gate';
import type { Clock } from '@interlock/shell';
import { z } from 'zod';
import type { Answer } from './answer.ts';
import type { JsonObject } from './close-schema.ts';
import { type RefuseParts, refuseCall } from './refuse.ts';
import { readShape } from './request.ts';
import type { KnownTool } from './schema.ts';
import { parseStrictJson } from './strict-json.ts';
import type { Volumes } from './volume.ts';

/** Evaluations of one request that the decider works on at the same time. */
const PARALLEL = 8;
/** A decision takes milliseconds; after this, no decider is running. */
const DECIDE_TIMEOUT_MS = 5_000;
const ROLE = 'enforcement-point';
const ACTION = 'execute_tool';

const objectSchema = z.custom<JsonObject>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'must be an object',
);
/** The parser returns nothing but JSON, so the arguments are not checked again. */
const wantedSchema = evaluationSchema.extend({
  resource: evaluationSchema.shape.resource.extend({
    properties: z.looseObject({ arguments: objectSchema.optional() }).optional(),
  }),
});
type Evaluation = z.infer<typeof wantedSchema>;

const wantedManySchema = evaluationsSchema
  .pick({ evaluations: true, options: true })
  .extend({ evaluations: z.array(objectSchema).max(limits.evaluations).optional() });
type Semantic = NonNullable<z.infer<typeof wantedManySchema>['options']>['evaluations_semantic'];

/** An answer as AuthZEN defines it; the members of the context are ours. */
interface Decision {
  decision: boolean;
  context: object;
}

export type AuthzenParts = RefuseParts & {
  bus: Peers;
  /** Throw `dependency_unavailable` while the copy may be behind. */
  tools: (name: string) => KnownTool | undefined;
  agents: (tenant: string, agent: string) => AgentEntry | undefined;
  volumes: Pick<Volumes, 'spend'>;
  clock: Pick<Clock, 'monotonicMs'>;
};

/** Who asks, and from where. */
export interface Asking {
  asker: AgentEntry;
  origin: Call['origin'];
  /** Counts further evaluations of the same request against the agent's caps. Throws `agent_flood`. */
  spend: (evaluations: number) => void;
}

/** `POST /access/v1/evaluation` (section 6). Throws faults of the body, and `dependency_unavailable`. */
export async function evaluate(body: Buffer, asking: Asking, parts: AuthzenParts): Promise<Answer> {
  const evaluation = readShape(wantedSchema, parseStrictJson(body, limits));
  return answer(await decide(evaluation, asking, parts));
}

/**
 * `POST /access/v1/evaluations` (section 7): members beside `evaluations` are the defaults of each. Without
 * `evaluations` it is a single one. The semantic of the request says after which decision the rest is left out.
 */
export async function evaluateAll(body: Buffer, asking: Asking, parts: AuthzenParts): Promise<Answer> {
  const document = readShape(objectSchema, parseStrictJson(body, limits));
  const { evaluations = [], options } = readShape(wantedManySchema, document);
  if (evaluations.length === 0) return await evaluate(body, asking, parts);
  asking.spend(evaluations.length - 1);
  const { evaluations: _, options: __, ...defaults } = document;
  const deciding = evaluations.map((one, index) => async () => {
    try {
      const evaluation = readShape(wantedSchema, { ...defaults, ...one }, ['evaluations', index]);
      return await decide(evaluation, asking, parts);
    } catch (error) {
      if (error instanceof Fault) return failed(error);
      throw error;
    }
  });
  const semantic = options?.evaluations_semantic ?? 'execute_all';
  return answer({ evaluations: await decideAll(deciding, semantic) });
}

async function decideAll(deciding: (() => Promise<Decision>)[], semantic: Semantic): Promise<Decision[]> {
  const decisions: Decision[] = [];
  const width = semantic === 'execute_all' ? PARALLEL : 1;
  for (let next = 0; next < deciding.length; next += width) {
    decisions.push(...(await Promise.all(deciding.slice(next, next + width).map((one) => one()))));
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
  parts.volumes.spend(asking.asker, Buffer.byteLength(text), parts.clock.monotonicMs());
  try {
    const { subject, tool } = resolve(evaluation, asking, parts);
    if (Buffer.byteLength(text) > limits.argumentsBytes) throw new Fault('arguments_too_large');
    tool.check(value);
    const { tenant, agent, user, session } = subject;
    const purpose = evaluation.context?.purpose;
    const reply = await parts.bus.ask(
      'decider.evaluate',
      {
        ...{ tenant, agent, user, session, call, asker: asking.asker.agent },
        ...{ tool: tool.tool.name, toolVersion: tool.version, arguments: text },
        ...(purpose === undefined ? {} : { purpose }),
        ...(asking.origin === undefined ? {} : { origin: asking.origin }),
      },
      DECIDE_TIMEOUT_MS,
    );
    // Z3
    return { decision: reply.verdict === 'allow', context: { evaluation: call, ...reply } };
  } catch (error) {
    if (!(error instanceof Fault) || error.retryable) throw error;
    return await refuse(error, { call, evaluation, text }, asking, parts);
  }
}

/** Returns the agent and the tool of an evaluation. Throws `policy_denied` or `tool_unknown`. */
function resolve(
  { subject, action, resource }: Evaluation,
  { asker }: Asking,
  { agents, tools }: AuthzenParts,
): { subject: AgentEntry; tool: KnownTool } {
  if (subject.type !== 'agent') throw denied('The type of the subject must be "agent".');
  if (action.name !== ACTION) throw denied(`The action must be "${ACTION}".`);
  if (resource.type !== 'tool') throw denied('The type of the resource must be "tool".');
  // Z2
  if (subject.id !== asker.agent && !asker.roles.includes(ROLE))
    throw denied(`Only an agent with the role "${ROLE}" may ask about other agents.`);
  // Checked before it becomes part of a key.
  const id = idSchema.safeParse(subject.id);
  const about = id.success ? agents(asker.tenant, id.data) : undefined;
  if (about === undefined) throw denied('Your tenant has no agent with this name.');
  const tool = idSchema.safeParse(resource.id).success ? tools(resource.id) : undefined;
  if (tool === undefined) throw new Fault('tool_unknown');
  return { subject: about, tool };
}

function denied(detail: string): Fault {
  return new Fault('policy_denied', { detail });
}

/** Z1: writes a refusal by ingress, then answers it. Throws `dependency_unavailable` where it cannot be written. */
async function refuse(
  fault: Fault,
  { call, evaluation, text }: { call: string; evaluation: Evaluation; text: string },
  { asker }: Asking,
  parts: AuthzenParts,
): Promise<Decision> {
  const idOr = (id: string) => idSchema.safeParse(id).data ?? UNKNOWN_NAME;
  const { tenant } = asker;
  const [agent, tool] = [idOr(evaluation.subject.id), idOr(evaluation.resource.id)];
  const about = { tenant, agent, call, tool, argumentsDigest: sha256(text) };
  const kept = Buffer.byteLength(text) > limits.argumentsBytes ? {} : { arguments: text };
  const evidence = { call: { ...about, ...kept }, detail: { door: 'authzen', asker: asker.agent } };
  await refuseCall({ call: about, fault, evidence }, parts);
  return failed(fault, call);
}

/** Section 7.2.1 puts errors into the context of a decision. */
function failed({ code, detail, pointer, next }: Fault, evaluation?: string): Decision {
  const error = { status: faults[code].status, message: detail };
  return {
    decision: false,
    context: {
      ...(evaluation === undefined ? {} : { evaluation }),
      ...{ code, error, next },
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
