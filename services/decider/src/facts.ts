import {
  type AgentEntry,
  type Call,
  type EmergencyEntry,
  type Json,
  type PolicyFacts,
  type PolicyInput,
  type Session,
  type Tool,
  valueAt,
} from '@interlock/contracts';

/** A denial of a question counts this long. */
const DENIALS_LATELY_MS = 24 * 3_600_000;

/** Everything a decision is made from. */
export interface Facts {
  call: Call;
  /** The call's arguments, parsed. */
  arguments: Record<string, Json>;
  tool: Tool;
  agent: AgentEntry;
  session: Session;
  /** What parsers found in the arguments. */
  parsed: PolicyFacts;
  /** The wall clock in each zone the policy's data names. */
  local: PolicyInput['context']['local'];
  /** The deployment's own name for where it runs. */
  environment: string;
  /** What a person opened for this agent and tool, while it lasts. */
  emergency?: EmergencyEntry;
  approval?: Approval;
  /** Set where another enforcement point asks about a call that it will carry out itself. */
  asker?: string;
}

/** A person's approval, as the approver's signed resolution says it. */
export interface Approval {
  questionDigest: string;
  person: string;
  resolvedAt: number;
}

/** Returns the input of policy. Roles and labels come from signed entries, never from the event. */
export function policyInput(facts: Facts, nowMs: number): PolicyInput {
  const { call, tool, session, approval, emergency } = facts;
  const spends = tool.spends === undefined ? undefined : valueAt(facts.arguments, tool.spends);
  return {
    subject: subjectOf(facts),
    action: { name: 'execute_tool' },
    tool: toolOf(facts),
    arguments: facts.arguments,
    facts: facts.parsed,
    session: { id: session.session, labels: session.labels, openedAt: session.openedAt },
    history: { denied: denialsOf(session, call, nowMs) },
    context: contextOf(facts, nowMs),
    ...(approval === undefined
      ? {}
      : { approval: { person: approval.person, resolvedAt: approval.resolvedAt } }),
    ...(emergency === undefined ? {} : { emergency: emergencyOf(emergency) }),
    ...(typeof spends === 'number' ? { spends } : {}),
  };
}

function subjectOf({ agent, asker }: Facts): PolicyInput['subject'] {
  const { environment } = agent;
  return {
    agent: agent.agent,
    user: agent.user,
    tenant: agent.tenant,
    roles: agent.roles,
    proof: asker === undefined ? 'api_key' : 'enforcement_point',
    ...(environment === undefined ? {} : { environment }),
  };
}

function toolOf({ call, tool, session }: Facts): PolicyInput['tool'] {
  const { name, labels, environment, target } = tool;
  return {
    name,
    version: call.toolVersion,
    labels,
    ...(environment === undefined ? {} : { environment }),
    firstUse: !session.used.tools.includes(name),
    ...(target.kind === 'mcp'
      ? { definition: { pinned: target.pinnedDigest, current: target.definitionDigest } }
      : {}),
  };
}

function contextOf({ call, local, environment, asker }: Facts, nowMs: number): PolicyInput['context'] {
  const { purpose, origin } = call;
  return {
    time: new Date(nowMs).toISOString(),
    epochMs: nowMs,
    local,
    ...(purpose === undefined ? {} : { purpose }),
    door: asker === undefined ? 'executor' : 'authzen',
    environment,
    ...(origin === undefined ? {} : { origin }),
  };
}

/** Returns the denials of this tool in the last day. One that another replica's clock puts into the future counts. */
function denialsOf(session: Session, call: Call, nowMs: number): PolicyInput['history']['denied'] {
  return session.denied
    .filter(({ at, tool }) => tool === call.tool && nowMs - at < DENIALS_LATELY_MS)
    .map(({ at, argumentsDigest }) => ({ at, same: argumentsDigest === call.argumentsDigest }));
}

function emergencyOf({ id, by, reason, expiresAt }: EmergencyEntry): PolicyInput['emergency'] {
  return { id, by, reason, expiresAt };
}
