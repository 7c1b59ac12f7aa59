/** One call as the audit trail has it: the decisions about it, and how it ended. */
import { type AuditRecord, type Evidence, type PolicyInput, policyInputSchema } from '@interlock/contracts';
import { Failure } from '@interlock/shell';
import { z } from 'zod';
import type { RecordedDecision } from './explanation.ts';

/** How a call ended, or how far it is. */
export type Ending =
  | { kind: 'carried-out'; outcome: string; code?: string }
  | {
      kind: 'refused';
      by: string;
      code: string;
      detail: string;
      /** `no-answer`: policy gave no answer; `expired`: nobody approved in time; `other`: not the decider. */
      cause: 'policy' | 'no-answer' | 'person' | 'expired' | 'other';
    }
  | { kind: 'evaluated'; asker: string }
  | { kind: 'asked' };

/** A decision, and the approval it was made with. */
export interface AuditedDecision extends RecordedDecision {
  approval?: NonNullable<PolicyInput['approval']>;
  /** False for the decision before an approval whose own record is missing: it is derived from the approved one. */
  recorded: boolean;
}

export interface AuditedCall {
  tenant: string;
  call: string;
  agent: string;
  tool: string;
  at: number;
  ending: Ending;
  /** In the order they were made; none where policy was not evaluated, or its decision cannot be read. */
  decisions: AuditedDecision[];
}

/** Steps with a decision. The last of them gives the state of the call. */
const DECIDED_STEPS = ['asked', 'started', 'refused', 'evaluated'];

/**
 * Reads the records of a call. Throws `call_unknown` where there are none, `call_ambiguous` where several tenants have
 * a call of this id, and `call_unfinished` where no decision about it is recorded yet.
 */
export function auditedCallOf(
  call: string,
  records: readonly AuditRecord[],
  wantedTenant: string | undefined,
): AuditedCall {
  const own = records.filter(({ tenant }) => tenant !== undefined && (wantedTenant ?? tenant) === tenant);
  const tenants = [...new Set(own.flatMap(({ tenant }) => tenant ?? []))];
  const [tenant, ...others] = tenants;
  if (tenant === undefined)
    throw new Failure('call_unknown', `The audit trail has no record of ${call}.`, {
      next: 'Find calls with interlock audit search. A call appears there some seconds after it ended.',
    });
  if (others.length > 0)
    throw new Failure('call_ambiguous', `Several tenants have a call ${call}: ${tenants.join(', ')}.`, {
      next: 'Choose one with --tenant.',
    });
  const decided = own.filter(({ step }) => DECIDED_STEPS.includes(step));
  const last = decided.at(-1);
  if (last === undefined)
    throw new Failure(
      'call_unfinished',
      `The audit trail has records of ${call}, but no decision about it yet.`,
      {
        next: 'See interlock audit show.',
      },
    );
  const question = askedSchema.safeParse(last.event).data?.question;
  return {
    tenant,
    call,
    agent: last.agent ?? question?.agent ?? 'unknown',
    tool: last.tool ?? question?.tool ?? 'unknown',
    at: last.at,
    ending: endingOf(last, own),
    decisions: decisionsIn(decided),
  };
}

const askedSchema = z.object({ question: z.object({ agent: z.string(), tool: z.string() }) });
const refusedSchema = z.object({ by: z.string(), code: z.string(), detail: z.string() });
const evaluatedSchema = z.object({ asker: z.string() });
const settledSchema = z.object({ outcome: z.string(), code: z.string().optional() });

function endingOf({ step, event }: AuditRecord, records: readonly AuditRecord[]): Ending {
  switch (step) {
    case 'refused': {
      const refused = refusedSchema.parse(event);
      return { kind: 'refused', ...refused, cause: causeOf(refused) };
    }
    case 'evaluated':
      return { kind: 'evaluated', ...evaluatedSchema.parse(event) };
    case 'started': {
      const settled = records.findLast((record) => record.step === 'settled');
      if (settled === undefined) return { kind: 'carried-out', outcome: 'not settled yet' };
      const { outcome, code } = settledSchema.parse(settled.event);
      return { kind: 'carried-out', outcome, ...(code === undefined ? {} : { code }) };
    }
    default:
      return { kind: 'asked' };
  }
}

type Cause = Extract<Ending, { kind: 'refused' }>['cause'];

const CAUSES: Readonly<Record<string, Cause>> = {
  policy_denied: 'policy',
  policy_default: 'policy',
  approval_insufficient: 'policy',
  policy_error: 'no-answer',
  policy_missing: 'no-answer',
  approval_denied: 'person',
  approval_expired: 'expired',
};

function causeOf({ by, code }: { by: string; code: string }): Cause {
  // Only the decider refuses for policy and for the people it asked.
  return (by === 'decider' ? CAUSES[code] : undefined) ?? 'other';
}

const factsSchema = policyInputSchema.pick({ approval: true });

/** A question has the decision that asked it, and so has the refusal of a call that was not approved. */
function decisionsIn(records: readonly AuditRecord[]): AuditedDecision[] {
  const decisions: AuditedDecision[] = [];
  for (const { evidence } of records) {
    const decision = decisionIn(evidence);
    const isKnown = decisions.some((one) => one.decision.decidedAt === decision?.decision.decidedAt);
    if (decision !== undefined && !isKnown) decisions.push(decision);
  }
  const [first] = decisions;
  if (first?.approval === undefined) return decisions;
  return [beforeApproval(first), ...decisions];
}

function decisionIn({ call, decision }: Evidence = {}): AuditedDecision | undefined {
  if (decision === undefined || call?.arguments === undefined) return undefined;
  const approval = factsSchema.safeParse({ approval: decision.facts['approval'] }).data?.approval;
  return {
    decision,
    arguments: call.arguments,
    recorded: true,
    ...(approval === undefined ? {} : { approval }),
  };
}

/** Derives the decision that asked from the approved one, where its own record is missing or cannot be decrypted. */
function beforeApproval({ decision, arguments: argumentsText }: AuditedDecision): AuditedDecision {
  const { approval: _, ...facts } = decision.facts;
  return {
    decision: { ...decision, verdict: 'ask', reasons: [], obligations: [], notes: [], facts },
    arguments: argumentsText,
    recorded: false,
  };
}
