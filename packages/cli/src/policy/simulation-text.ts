/** The result of a simulation as text. */
import type {
  Agreement,
  ChangeGroup,
  NamedCall,
  Outcome,
  SimulationReport,
} from '@interlock/policy-analysis';
import { instant, table } from '../output.ts';

/** The result of a simulation, with its calls and what was compared. */
export interface SimulateResult extends SimulationReport {
  since: number;
  until: number;
  comparedWith: 'recorded' | { version: number; digest: string };
  candidateDigest: string;
  /** Until the candidate was compiled, until the first calls had arrived, and in all. */
  tookMs: { compiled: number; fetched: number; total: number };
}

const DIGEST_SHOWN = 12;

/** Returns the report as text. */
export function simulationText(result: SimulateResult): string {
  return [
    headOf(result),
    table(
      ['', 'allow', 'ask', 'deny', 'error'],
      [row('base', result.base), row('candidate', result.candidate)],
    ),
    changesText(result),
    labelsText(result),
    repeatedText(result),
    unreadableText(result),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function headOf({ calls, since, until, comparedWith, candidateDigest, tookMs }: SimulateResult): string {
  const base =
    comparedWith === 'recorded'
      ? 'the recorded decisions'
      : `version ${comparedWith.version} (${comparedWith.digest.slice(0, DIGEST_SHOWN)})`;
  return [
    `${calls} recorded calls, ${instant(since)} to ${instant(until)}, in ${(tookMs.total / 1_000).toFixed(1)} s`,
    `base       ${base}`,
    `candidate  ${candidateDigest.slice(0, DIGEST_SHOWN)}`,
  ].join('\n');
}

function row(name: string, counts: Record<Outcome, number>) {
  return [name, counts.allow, counts.ask, counts.deny, counts.error];
}

function changesText({ changed, wider, narrower, changes, ungrouped }: SimulateResult): string {
  if (changed === 0) return 'No verdict changes.';
  const rows = changes.map((group) => [
    `${group.from} -> ${group.to}`,
    group.tool,
    whyOf(group),
    group.calls,
    namesOf(group.examples),
  ]);
  const more = ungrouped === 0 ? '' : `\n… and ${ungrouped} more.`;
  const head = `${changed} verdicts change: ${wider} get wider, ${narrower} narrower.`;
  return `${head}\n\n${table(['change', 'tool', 'rules', 'calls', 'for example'], rows)}${more}`;
}

function whyOf({ from, to, rulesBefore, rulesNow }: ChangeGroup): string {
  return `${rulesText(from, rulesBefore)} -> ${rulesText(to, rulesNow)}`;
}

function rulesText(outcome: Outcome, rules: readonly string[]): string {
  if (rules.length > 0) return rules.join('+');
  if (outcome === 'deny') return '(no rule allows it)';
  return outcome === 'ask' ? '(held, approved)' : `(${outcome})`;
}

function labelsText({ labels }: SimulateResult): string {
  if (labels === undefined) return '';
  const { base, candidate, missing, falselyAllowed } = labels;
  const rows = [agreementRow('base', base), agreementRow('candidate', candidate)];
  const elsewhere = missing === 0 ? '' : `; ${missing} more labelled calls are not among these`;
  const allowed =
    falselyAllowed.length === 0
      ? ''
      : `\nLabelled bad, but allowed by the candidate: ${namesOf(falselyAllowed)}`;
  const head = `${candidate.judged} of these calls have a label${elsewhere}.`;
  const columns = ['', 'agree', 'bad but allowed', 'good but denied', 'good but held'];
  return `${head}\n\n${table(columns, rows)}${allowed}`;
}

function agreementRow(name: string, { agree, judged, falseAllows, falseDenials }: Agreement) {
  return [name, `${agree} of ${judged}`, falseAllows, falseDenials.denied, falseDenials.asked];
}

function repeatedText({ repeated }: SimulateResult): string {
  if (repeated === undefined) return '';
  const { calls, different, differing } = repeated;
  if (different === 0)
    return `The base decided ${calls} of these calls when they were made, and decides each the same again.`;
  return `NOT REPEATABLE: the base decided ${calls} of these calls when they were made, and decides ${different} of them otherwise now: ${namesOf(differing)}`;
}

function unreadableText({ unreadable: { calls, reasons } }: SimulateResult): string {
  if (calls === 0) return '';
  const lines = reasons.map(
    ({ why, calls: count, example }) =>
      `  ${count}  ${why}${example === undefined ? '' : `, for example ${example}`}`,
  );
  return [`${calls} records could not be replayed:`, ...lines].join('\n');
}

function namesOf(calls: readonly NamedCall[]): string {
  return calls.map(({ call }) => call).join(', ');
}
