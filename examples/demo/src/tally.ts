/** The calls of the demo: what came of each, and who decided it as the audit trail tells. */
import { table } from '@interlock/cli';
import type { AuditRecord } from '@interlock/contracts';
import { z } from 'zod';

/** What policy is told of an approval, as far as it matters here. */
const approverSchema = z.object({ person: z.string() });

/** Where a rule's name says that it is a limit. */
const LIMITS = /^limits\//;

/** One line of the summary. */
export interface Played {
  agent: string;
  tool: string;
  outcome: string;
  /** The call, where one came about. */
  call: string | undefined;
  /** Who decided; taken from the audit trail unless no call came about or it was repeated. */
  decidedBy: string | undefined;
  tookMs: number;
}

/** Returns the lines as a table. */
export function summaryOf(played: readonly Played[]): string {
  const rows = played.map(({ agent, tool, outcome, decidedBy, tookMs }) => [
    agent,
    tool,
    outcome,
    decidedBy ?? '',
    `${tookMs.toFixed(0)} ms`,
  ]);
  return table(['agent', 'tool', 'outcome', 'who decided', 'time'], rows);
}

/** Returns who decided about a call, out of its audit records; undefined while its end is not among them. */
export function whoDecided(records: readonly AuditRecord[]): string | undefined {
  const refused = records.find(({ step }) => step === 'refused')?.event;
  if (refused !== undefined) return refuserOf(refused);
  if (!records.some(({ step }) => step === 'settled')) return undefined;
  const decision = records.find(({ step }) => step === 'started')?.evidence?.decision;
  const { approval } = decision?.facts ?? {};
  const approver = approverSchema.safeParse(approval);
  if (approver.success) return `person ${approver.data.person}`;
  const rules = new Set(decision?.reasons.map(({ rule }) => rule));
  return rules.size === 0 ? undefined : `rule ${[...rules].join(', ')}`;
}

function refuserOf({ code, rule }: AuditRecord['event']): string {
  switch (code) {
    case 'killed':
      return 'kill switch';
    case 'rate_limited':
      return `limit ${String(rule).replace(LIMITS, '')}`;
    case 'arguments_invalid':
      return 'schema of the tool';
    default:
      return `rule ${String(rule ?? code)}`;
  }
}
