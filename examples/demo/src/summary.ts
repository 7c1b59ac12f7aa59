/** The calls of the demo: the outcome of each, and who decided it, as the audit trail says. */
import { table } from '@interlock/cli';
import type { AuditRecord } from '@interlock/contracts';
import { z } from 'zod';

/** The approval among the facts of a decision. */
const approverSchema = z.object({ person: z.string() });

/** How the name of a limit begins. */
const LIMITS = /^limits\//;

/** One line of the summary. */
export interface SummaryRow {
  agent: string;
  tool: string;
  outcome: string;
  /** The call; absent when none was made. */
  call: string | undefined;
  /** Who decided; read from the audit trail unless no call was made or it was repeated. */
  decidedBy: string | undefined;
  tookMs: number;
}

/** Returns the lines as a table. */
export function summaryText(summary: readonly SummaryRow[]): string {
  const rows = summary.map(({ agent, tool, outcome, decidedBy, tookMs }) => [
    agent,
    tool,
    outcome,
    decidedBy ?? '',
    `${tookMs.toFixed(0)} ms`,
  ]);
  return table(['agent', 'tool', 'outcome', 'who decided', 'time'], rows);
}

/** Returns who decided about a call, from its audit records; undefined while its end is missing. */
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
