/** Terms of Rego as `opa` writes them into traces, as Rego text. */
import { z } from 'zod';

/** A term: `{"type": "string", "value": "no"}`. */
export interface Term {
  type: string;
  value?: unknown;
}

/** Whole objects are compared in tests; a larger one is cut. */
const TEXT_MAX = 2_000;
/** The name of a variable that the compiler made. */
const COMPILER_VARIABLE = /^__local\d+__$/;
const termSchema = z.object({ type: z.string(), value: z.unknown() });
const pairsSchema = z.array(z.tuple([z.unknown(), z.unknown()]));

/** Returns a term as Rego text; variables that are known are replaced by their values. */
export function termText(term: Term, known: ReadonlyMap<string, Term>): string {
  const text = textOf(term, known);
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
}

/** Returns the name of a function or reference: `data.interlock.rules.x.deny`, `eq`. */
export function nameOf({ type, value }: Term): string {
  if (type !== 'ref') return String(value);
  const [first, ...rest] = z.array(termSchema).parse(value);
  const tail = rest.map((part) =>
    part.type === 'string' && /^[A-Za-z_]\w*$/.test(String(part.value))
      ? `.${part.value}`
      : `[${textOf(part, new Map())}]`,
  );
  return `${String(first?.value)}${tail.join('')}`;
}

function textOf(term: Term, known: ReadonlyMap<string, Term>): string {
  const { type, value } = term;
  switch (type) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'null':
      return JSON.stringify(value) ?? 'null';
    case 'array':
      return `[${listed(value, known)}]`;
    case 'set': {
      const members = listed(value, known);
      return members === '' ? 'set()' : `{${members}}`;
    }
    case 'object': {
      const pairs = pairsSchema.parse(value);
      return `{${pairs.map((pair) => pair.map((one) => inner(one, known)).join(': ')).join(', ')}}`;
    }
    case 'var': {
      const found = known.get(String(value));
      return found === undefined ? String(value).replace(COMPILER_VARIABLE, '_') : textOf(found, known);
    }
    case 'ref':
      return nameOf(term);
    default:
      return type;
  }
}

function listed(value: unknown, known: ReadonlyMap<string, Term>): string {
  return z
    .array(z.unknown())
    .parse(value)
    .map((one) => inner(one, known))
    .join(', ');
}

function inner(value: unknown, known: ReadonlyMap<string, Term>): string {
  return textOf(termSchema.parse(value), known);
}
