import type { AgentEntry, Call, Json, Session, Tool } from '@interlock/contracts';

/** Everything a decision is made from. */
export interface Facts {
  call: Call;
  /** The call's arguments, parsed. */
  arguments: Record<string, Json>;
  tool: Tool;
  agent: AgentEntry;
  session: Session;
  approval?: Approval;
}

/** A person's approval, as the approver's signed resolution says it. */
export interface Approval {
  questionDigest: string;
  person: string;
  resolvedAt: number;
}

/** What policy sees of a call; `policies/README.md` describes it for authors of rules. */
export interface PolicyInput {
  subject: {
    agent: string;
    user: string;
    tenant: string;
    roles: string[];
    /** How the agent proved who it is. */
    proof: 'api_key';
  };
  action: { name: 'execute_tool' };
  tool: { name: string; version: string; labels: string[] };
  arguments: Record<string, Json>;
  session: { id: string; labels: string[]; openedAt: number };
  context: { time: string; epochMs: number; purpose?: string; door: string };
  approval?: { person: string; resolvedAt: number };
  /** What the call spends, where its tool says which argument that is and the argument is a number. */
  spends?: number;
}

/** Returns what policy sees. Roles and labels come from signed entries, never from the event. */
export function policyInput(facts: Facts, nowMs: number): PolicyInput {
  const { call, tool, agent, session, approval } = facts;
  const spends = tool.spends === undefined ? undefined : valueAt(facts.arguments, tool.spends);
  return {
    subject: {
      agent: agent.agent,
      user: agent.user,
      tenant: agent.tenant,
      roles: agent.roles,
      proof: 'api_key',
    },
    action: { name: 'execute_tool' },
    tool: { name: tool.name, version: call.toolVersion, labels: tool.labels },
    arguments: facts.arguments,
    session: { id: session.session, labels: session.labels, openedAt: session.openedAt },
    context: {
      time: new Date(nowMs).toISOString(),
      epochMs: nowMs,
      ...(call.purpose === undefined ? {} : { purpose: call.purpose }),
      door: call.door.kind,
    },
    ...(approval === undefined
      ? {}
      : { approval: { person: approval.person, resolvedAt: approval.resolvedAt } }),
    ...(typeof spends === 'number' ? { spends } : {}),
  };
}

/** Returns the value a JSON Pointer (RFC 6901) points to, or undefined. */
function valueAt(document: Json, pointer: string): Json | undefined {
  let value: Json | undefined = document;
  for (const token of pointer.split('/').slice(1)) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = Array.isArray(value) ? value[Number(name)] : value[name];
  }
  return value;
}
