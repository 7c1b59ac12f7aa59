/** An explanation as text. */
import type { Json } from '@interlock/contracts';
import {
  type AuditedCall,
  type Counterfactual,
  type Ending,
  type ExplainedCall,
  type ExplainedDecision,
  type Explanation,
  type Fact,
  outputKinds,
} from '@interlock/policy-analysis';
import { stringify } from 'yaml';
import { instant, oneLine, table } from '../output.ts';

const DIGEST_SHOWN = 12;
const VALUE_SHOWN = 60;
/** `--json` prints all. */
const ROWS_SHOWN = 24;

/** Returns the explanation of a call as text. */
export function explanationText(explained: ExplainedCall): string {
  const { decisions } = explained;
  const parts = decisions.map((decision, index) =>
    decisionText(decision, decisions.length === 1 ? '' : ` ${index + 1} of ${decisions.length}`),
  );
  const none = decisions.length === 0 ? [undecidedText(explained)] : [];
  return [headOf(explained), ...none, ...parts].join('\n\n');
}

function headOf({ call, tenant, agent, tool, at, ending }: AuditedCall | ExplainedCall): string {
  return `${call}: ${tool}, ${tenant}/${agent}, ${instant(at)}\n${endingText(ending)}`;
}

function endingText(ending: Ending): string {
  switch (ending.kind) {
    case 'carried-out': {
      const code = ending.code === undefined ? '' : ` (${ending.code})`;
      return `It was carried out: ${ending.outcome}${code}.`;
    }
    case 'evaluated':
      return `${ending.asker} asked for the decision only; nothing was carried out here.`;
    case 'asked':
      return 'It was held for an approval, and nothing is recorded after that.';
    case 'refused':
      return `${causeText(ending)}\n  ${ending.code}: ${oneLine(ending.detail)}`;
    default:
      return ending satisfies never;
  }
}

function causeText({ by, cause }: Extract<Ending, { kind: 'refused' }>): string {
  switch (cause) {
    case 'policy':
      return 'Policy refused it.';
    case 'no-answer':
      return 'It was refused because policy gave no answer.';
    case 'person':
      return 'Policy asked for an approval, and a person denied it.';
    case 'expired':
      return 'Policy asked for an approval, and nobody approved in time.';
    case 'other':
      return `The ${by} refused it; policy did not.`;
    default:
      return cause satisfies never;
  }
}

function undecidedText({ ending }: ExplainedCall): string {
  if (ending.kind === 'refused' && ending.cause === 'other')
    return 'Its record holds no decision: it was refused before policy was evaluated.';
  return 'Its record holds no decision that can be read.';
}

function decisionText(decision: ExplainedDecision, number: string): string {
  const { explanation } = decision;
  const parts =
    explanation.kind === 'whole'
      ? [...wholeText(explanation), repeatedText(decision, explanation)]
      : [`${explanation.why}\nOnly what the record itself says is shown.`];
  return [decisionHead(decision, number), saidText(decision), ...parts]
    .filter((part) => part !== '')
    .join('\n\n');
}

function decisionHead(
  { decision, approval, recorded, signature }: ExplainedDecision,
  number: string,
): string {
  const { policyVersion, policyDigest, decidedAt, verdict } = decision;
  const verified = signature === 'verified' ? ", author's signature verified" : '';
  const policy = `policy version ${policyVersion} (${policyDigest.slice(0, DIGEST_SHOWN)}${verified})`;
  if (!recorded)
    return `DECISION${number}  ${verdict}, before the approval, by ${policy}; it has no record of its own`;
  const approved = approval === undefined ? '' : `, knowing that ${approval.person} approved`;
  return `DECISION${number}  ${verdict}${approved}, by ${policy}, ${instant(decidedAt)}`;
}

/** Returns the reasons, notes and obligations of a decision; of a recorded denial without reasons, that no rule allows it. */
export function saidText({
  decision: { verdict, reasons, notes, obligations, shadow },
  recorded,
}: Pick<ExplainedDecision, 'decision' | 'recorded'>): string {
  const lines = [
    ...reasons.map(({ rule, text }) => ['because', rule, text]),
    ...(recorded && verdict === 'deny' && reasons.length === 0
      ? [['because', '', 'No rule allows it.']]
      : []),
    ...notes.map(({ rule, text }) => ['note', rule, text]),
    ...obligations.map(({ name, parameters }) => [
      'obliges',
      name,
      parameters === undefined ? '' : shown(parameters),
    ]),
    ...(shadow === undefined
      ? []
      : [['candidate', `version ${shadow.policyVersion}`, `would have decided: ${shadow.verdict}`]]),
  ];
  return rowsText(lines);
}

/** Returns what the rules say, on which facts, and what would change the verdict. */
export function wholeText({ outputs, rules, counterfactuals, grant, questions }: Explanation): string[] {
  const texts = outputKinds.flatMap((kind) => outputs[kind].map(({ rule, text }) => [kind, rule, text]));
  const facts = rules.flatMap(({ rule, facts: own }) =>
    own.length === 0 ? [[rule, '(no single fact)']] : own.map((fact) => [rule, factText(fact)]),
  );
  const changes = counterfactuals.map((change) => [changeText(change), `-> ${change.verdict}`]);
  const left =
    questions.unasked === 0 ? '' : `${questions.unasked} changes were not evaluated: the call is too large.`;
  return [
    section('What the rules say', texts, 'No rule applies.'),
    texts.length === 0 ? '' : section('Facts they depend on', facts, ''),
    section('Changes that lead to another verdict', changes, 'No single change of the call does.'),
    grantText(grant),
    left,
  ];
}

function grantText(grant: Explanation['grant']): string {
  if (grant === undefined) return '';
  const free = grant.free.length === 0 ? '' : `, any value at ${oneLine(grant.free.join(', '))}`;
  const then = grant.outcome === 'allow' ? 'it is allowed' : `other rules still decide: ${grant.outcome}`;
  const text = stringify({ config: { allow_listed: [grant.grant] } }, { lineWidth: 110, blockQuote: false });
  return `No rule allows it. With this narrowest grant${free}, ${then} (evaluated):\n${indented(text.trimEnd())}`;
}

function repeatedText({ recorded }: ExplainedDecision, { repeated }: Explanation): string {
  if (!recorded) return '';
  if (repeated.same) return 'Evaluated again with the same input, the policy decides the same.';
  const now =
    repeated.now === 'no answer'
      ? 'gives no answer'
      : `decides ${repeated.now.verdict} (${repeated.now.reasons.map(({ rule }) => rule).join(', ')})`;
  return `NOT REPEATABLE: evaluated again with the same input, the policy ${now}.`;
}

function changeText(change: Counterfactual): string {
  switch (change.kind) {
    case 'approval':
      return change.given ? "a person's approval" : 'without the approval';
    case 'emergency':
      return change.given ? 'an emergency opened for this tool' : 'without the emergency';
    case 'gone':
      return `without ${factText(change)}`;
    case 'value':
      return `${factText(change)} -> ${change.to.map(shown).join(' or ')}`;
    case 'number':
      return `${factText(change)} -> ${change.bound} ${change.to}`;
    case 'fewer':
      return `${change.at}: the first ${change.to} of ${change.from} at most`;
    case 'time': {
      const local = Object.entries(change.local).map(([zone, clock]) => `, ${clock} ${zone}`);
      return `the same call later, from ${change.from}${local.join('')}`;
    }
    default:
      return change satisfies never;
  }
}

function factText({ at, value, of }: Fact): string {
  return `${at} = ${shown(value)}${of === undefined ? '' : ` (${of})`}`;
}

function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length <= VALUE_SHOWN ? text : `${text.slice(0, VALUE_SHOWN)}…`;
}

function section(title: string, rows: readonly string[][], none: string): string {
  return `${title}\n${rows.length === 0 ? `  ${none}` : rowsText(rows)}`;
}

function rowsText(rows: readonly string[][]): string {
  const [first] = rows;
  if (first === undefined) return '';
  const [head = [], ...body] = rows.slice(0, ROWS_SHOWN).map((row) => row.map(oneLine));
  const more = rows.length > ROWS_SHOWN ? `\n… and ${rows.length - ROWS_SHOWN} more, see --json` : '';
  return indented(`${table(head, body)}${more}`);
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}
