/** The result of a simulation, as text and as Markdown. */
import type {
  Agreement,
  ChangeGroup,
  NamedCall,
  Outcome,
  SimulationReport,
} from '@interlock/policy-analysis';
import { instant, table } from '../output.ts';
import { markdownTable, markdownText } from './markdown.ts';

/** The result of a simulation, with its calls and what was compared. */
export interface SimulateResult extends SimulationReport {
  since: number;
  until: number;
  comparedWith: 'recorded' | { version: number; digest: string };
  /** The folder or file that the candidate was made of, and its digest. */
  candidateSource: string;
  candidateDigest: string;
  /** Until the candidate was compiled, until the first calls had arrived, and in all. */
  tookMs: { compiled: number; fetched: number; total: number };
}

/** A part of the report: lines, or a table. */
type Part = string | { head: readonly string[]; rows: readonly (readonly unknown[])[] };

const DIGEST_SHOWN = 12;

/** Returns the report as text. */
export function simulationText(result: SimulateResult): string {
  return partsOf(result)
    .map((part) => (typeof part === 'string' ? part : table(part.head, part.rows)))
    .join('\n\n');
}

/** Returns the report as Markdown, for a pull request. */
export function simulationMarkdown(result: SimulateResult): string {
  const parts = partsOf(result).map((part) =>
    typeof part === 'string'
      ? part.split('\n').map(markdownText).join('  \n')
      : markdownTable(part.head, part.rows),
  );
  return ['### Policy simulation', ...parts].join('\n\n');
}

function partsOf(result: SimulateResult): Part[] {
  const parts: Part[] = [
    headOf(result),
    {
      head: ['', 'allow', 'ask', 'deny', 'error'],
      rows: [row('base', result.base), row('candidate', result.candidate)],
    },
    ...changesOf(result),
    ...labelsOf(result),
    repeatedText(result),
    unreadableText(result),
  ];
  return parts.filter((part) => part !== '');
}

function headOf(result: SimulateResult): string {
  const { calls, held, since, until, comparedWith, candidateSource, candidateDigest, tookMs } = result;
  const base =
    comparedWith === 'recorded'
      ? 'the recorded decisions'
      : `version ${comparedWith.version} (${comparedWith.digest.slice(0, DIGEST_SHOWN)})`;
  const open = held === 0 ? '' : ` (${held} still held)`;
  return [
    `${calls} recorded calls${open}, ${instant(since)} to ${instant(until)}, in ${(tookMs.total / 1_000).toFixed(1)} s`,
    `base       ${base}`,
    `candidate  ${candidateSource} (${candidateDigest.slice(0, DIGEST_SHOWN)})`,
  ].join('\n');
}

function row(name: string, counts: Record<Outcome, number>) {
  return [name, counts.allow, counts.ask, counts.deny, counts.error];
}

function changesOf({ changed, wider, narrower, changes, ungrouped }: SimulateResult): Part[] {
  if (changed === 0) return ['No verdict changes.'];
  const rows = changes.map((group) => [
    `${group.from} -> ${group.to}`,
    group.tool,
    whyOf(group),
    group.calls,
    namesOf(group.examples),
  ]);
  return [
    `${changed} verdicts change: ${wider} get wider, ${narrower} narrower.`,
    { head: ['change', 'tool', 'rules', 'calls', 'for example'], rows },
    ungrouped === 0 ? '' : `… and ${ungrouped} more.`,
  ];
}

function whyOf({ from, to, rulesBefore, rulesNow }: ChangeGroup): string {
  return `${rulesText(from, rulesBefore)} -> ${rulesText(to, rulesNow)}`;
}

function rulesText(outcome: Outcome, rules: readonly string[]): string {
  if (rules.length > 0) return rules.join('+');
  if (outcome === 'deny') return '(no rule allows it)';
  return outcome === 'ask' ? '(held, approved)' : `(${outcome})`;
}

function labelsOf({ labels }: SimulateResult): Part[] {
  if (labels === undefined) return [];
  const { base, candidate, missing, falselyAllowed } = labels;
  const elsewhere = missing === 0 ? '' : `; ${missing} more labelled calls are not among these`;
  return [
    `${candidate.judged} of these calls have a label${elsewhere}.`,
    {
      head: ['', 'agree', 'bad but allowed', 'good but denied', 'good but held'],
      rows: [agreementRow('base', base), agreementRow('candidate', candidate)],
    },
    falselyAllowed.length === 0
      ? ''
      : `Labelled bad, but allowed by the candidate: ${namesOf(falselyAllowed)}`,
  ];
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
