/** What the audit trail says of one call: the decisions about it, and how it ended. */
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
      /** Whose word it was. `nobody`: a question that nobody answered; `unanswered`: policy gave no answer. */
      whose: 'policy' | 'unanswered' | 'person' | 'nobody' | 'elsewhere';
    }
  | { kind: 'evaluated'; asker: string }
  | { kind: 'asked' };

/** A decision, and the approval it was made with. */
export interface StoryDecision extends RecordedDecision {
  approval?: NonNullable<PolicyInput['approval']>;
  /** False where it was not recorded and is what the policy would have said before the approval. */
  recorded: boolean;
}

export interface CallStory {
  tenant: string;
  call: string;
  agent: string;
  tool: string;
  at: number;
  ending: Ending;
  /** In the order they were made; none where policy was not asked, or its decision cannot be read. */
  decisions: StoryDecision[];
}

/** The records that end a call or hold it, as far as they matter; the last of them says how it is. */
const TELLING = ['asked', 'started', 'refused', 'evaluated'];

/**
 * Reads the records of a call. Throws `call_unknown` where there are none, and `call_ambiguous` where calls of several
 * tenants bear the name.
 */
export function storyOf(
  call: string,
  records: readonly AuditRecord[],
  wanted: string | undefined,
): CallStory {
  const own = records.filter(({ tenant }) => tenant !== undefined && (wanted ?? tenant) === tenant);
  const tenants = [...new Set(own.flatMap(({ tenant }) => tenant ?? []))];
  const [tenant, ...others] = tenants;
  if (tenant === undefined)
    throw new Failure('call_unknown', `Nothing is recorded of ${call}.`, {
      next: 'Find calls with interlock audit search. A call appears there some seconds after it ended.',
    });
  if (others.length > 0)
    throw new Failure('call_ambiguous', `Calls of ${tenants.join(', ')} are named ${call}.`, {
      next: 'Choose one with --tenant.',
    });
  const telling = own.filter(({ step }) => TELLING.includes(step));
  const last = telling.at(-1);
  if (last === undefined)
    throw new Failure('call_unfinished', `${call} is recorded, but nothing yet that decided about it.`, {
      next: 'See interlock audit show.',
    });
  const question = askedSchema.safeParse(last.event).data?.question;
  return {
    tenant,
    call,
    agent: last.agent ?? question?.agent ?? 'unknown',
    tool: last.tool ?? question?.tool ?? 'unknown',
    at: last.at,
    ending: endingOf(last, own),
    decisions: decisionsIn(telling),
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
      return { kind: 'refused', ...refused, whose: whoseWord(refused) };
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

type Whose = Extract<Ending, { kind: 'refused' }>['whose'];

const WHOSE: Readonly<Record<string, Whose>> = {
  policy_denied: 'policy',
  policy_default: 'policy',
  approval_insufficient: 'policy',
  policy_error: 'unanswered',
  policy_missing: 'unanswered',
  approval_denied: 'person',
  approval_expired: 'nobody',
};

function whoseWord({ by, code }: { by: string; code: string }): Whose {
  // Only the decider speaks for policy and for the people it asked.
  return (by === 'decider' ? WHOSE[code] : undefined) ?? 'elsewhere';
}

const factsSchema = policyInputSchema.pick({ approval: true });

/** A question keeps the decision that asked it, and so does the refusal of one that was not approved. */
function decisionsIn(records: readonly AuditRecord[]): StoryDecision[] {
  const decisions: StoryDecision[] = [];
  for (const { evidence } of records) {
    const decision = decisionIn(evidence);
    const isKnown = decisions.some((one) => one.decision.decidedAt === decision?.decision.decidedAt);
    if (decision !== undefined && !isKnown) decisions.push(decision);
  }
  const [first] = decisions;
  if (first?.approval === undefined) return decisions;
  return [beforeApproval(first), ...decisions];
}

function decisionIn({ call, decision }: Evidence = {}): StoryDecision | undefined {
  if (decision === undefined || call?.arguments === undefined) return undefined;
  const approval = factsSchema.safeParse({ approval: decision.facts['approval'] }).data?.approval;
  return {
    decision,
    arguments: call.arguments,
    recorded: true,
    ...(approval === undefined ? {} : { approval }),
  };
}

/** The question's own record is not there or does not open: the approved decision is what is known of it. */
function beforeApproval({ decision, arguments: given }: StoryDecision): StoryDecision {
  const { approval: _, ...facts } = decision.facts;
  return {
    decision: { ...decision, verdict: 'ask', reasons: [], obligations: [], notes: [], facts },
    arguments: given,
    recorded: false,
  };
}
