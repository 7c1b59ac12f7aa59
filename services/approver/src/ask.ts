import {
  type ApprovalsEntry,
  digestOf,
  type EventBody,
  Fault,
  idSchema,
  type Question,
  type QuestionEntry,
  type Sealed,
  type Statement,
} from '@interlock/contracts';
import { z } from 'zod';

/** The bucket keeps a question for seven days after its last change: it must expire before the bucket deletes it. */
const EXPIRES_MAX_MS = 7 * 86_400_000 - 3_600_000;

/**
 * Returns the question a held call puts to people.
 * Throws the Fault that refuses the call: `deadline_passed`, or `approval_impossible` when nobody could answer.
 */
export function ask(
  { call, decision: found }: EventBody<'held'>,
  decision: Statement<'decision'>,
  approvals: ApprovalsEntry,
  nowMs: number,
): Question {
  if (Math.min(call.notAfter, decision.notAfter) <= nowMs) throw new Fault('deadline_passed');
  const { roles, expiresMs, separateDuties } = demandsOf(decision, approvals);
  if (roles.length === 0) throw new Fault('approval_impossible');
  const { tenant, agent, user, session, tool, toolVersion, argumentsDigest, callDigest, purpose } = call;
  return {
    tenant,
    agent,
    user,
    session,
    call: call.call,
    tool,
    toolVersion,
    argumentsDigest,
    callDigest,
    reasons: found.reasons,
    ...(purpose === undefined ? {} : { purpose }),
    roles,
    separateDuties,
    askedAt: nowMs,
    expiresAt: nowMs + Math.min(expiresMs, EXPIRES_MAX_MS),
  };
}

/** Returns the record of a new question. */
export function openQuestion(question: Question, sealed: Sealed): QuestionEntry {
  return { question, questionDigest: digestOf(question), sealed, state: 'open', rejected: [] };
}

/** What the obligation `approval` may carry. */
const demandSchema = z.strictObject({
  roles: z.array(idSchema).min(1).max(16).optional(),
  expiresMs: z.int().min(1_000).optional(),
  separateDuties: z.boolean().optional(),
});

/**
 * The tool's rule replaces the general setting. Policy may name other roles, shorten the time and separate duties; it
 * cannot lengthen the time or allow one person both duties. Where several obligations name roles, a person needs a role
 * that all of them name.
 */
function demandsOf(decision: Statement<'decision'>, approvals: ApprovalsEntry): Demands {
  const rule = approvals.rules.find(({ tool }) => tool === decision.tool);
  const demands = decision.obligations
    .filter(({ name }) => name === 'approval')
    .map(({ parameters }) => demandOf(parameters));
  const roles = demands.flatMap((demand) => (demand.roles === undefined ? [] : [demand.roles]));
  const [first, ...more] = roles;
  return {
    roles: (first ?? rule?.roles ?? approvals.roles).filter((role) =>
      more.every((other) => other.includes(role)),
    ),
    expiresMs: Math.min(
      rule?.expiresMs ?? approvals.expiresMs,
      ...demands.flatMap(({ expiresMs }) => (expiresMs === undefined ? [] : [expiresMs])),
    ),
    separateDuties:
      (rule?.separateDuties ?? approvals.separateDuties) ||
      demands.some(({ separateDuties }) => separateDuties === true),
  };
}

function demandOf(parameters: unknown): z.infer<typeof demandSchema> {
  const parsed = demandSchema.safeParse(parameters ?? {});
  if (parsed.success) return parsed.data;
  throw new Fault('approval_impossible', {
    detail:
      'Policy attached an approval obligation with parameters that are not known. Repeating the call does not help.',
    cause: parsed.error,
  });
}

interface Demands {
  roles: string[];
  expiresMs: number;
  separateDuties: boolean;
}
