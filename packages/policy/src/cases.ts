/**
 * Cases: the answers that a policy is expected to give about calls, in YAML for people who do not program.
 *
 * A file is `{about?, whole?, data?, given?, cases: [{name, data?, given?, expect}]}`. `data` is what rules read below
 * `data`, as in `data.yaml`; `given` is what is special about the call. A case overrides its file, and a file overrides
 * the policy's own data and the plain call. `expect` is a part of the answer: what it does not name may be anything,
 * unless the file is about whole answers.
 */
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { Fault, type PolicyAnswer, policyAnswerSchema } from '@interlock/contracts';
import { isMap, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { z } from 'zod';
import { readArchive } from './archive.ts';
import { caseFiles } from './case-files.ts';
import { inputAbout, type Mapping, mappingSchema, merged } from './plain-call.ts';
import { Policy } from './rego.ts';

const CASES_PER_FILE_MAX = 1_000;

const { verdict, obligations, reasons } = policyAnswerSchema.shape;
/** A reason by its rule, with the text where the case is about it. */
const reasonsSchema = z.array(reasons.element.partial({ text: true })).max(64);

const expectSchema = z
  .strictObject({ verdict, reasons: reasonsSchema, obligations, notes: reasonsSchema })
  .partial()
  .refine((expected) => Object.keys(expected).length > 0, 'name a verdict, reasons, obligations or notes');
/** A part of an answer. A list that is named is the whole list; of a reason, the text may be left out. */
export type ExpectedAnswer = z.infer<typeof expectSchema>;

const caseSchema = z.strictObject({
  name: z.string().min(1).max(200),
  data: mappingSchema.default({}),
  given: mappingSchema.default({}),
  expect: expectSchema,
});

const fileSchema = z.strictObject({
  about: z.string().max(2_000).optional(),
  /** True where each case is about the whole answer: a list that is left out is empty. */
  whole: z.boolean().default(false),
  data: mappingSchema.default({}),
  given: mappingSchema.default({}),
  cases: z.array(caseSchema).min(1).max(CASES_PER_FILE_MAX),
});

/** One case, ready to be asked. */
export interface PolicyCase {
  name: string;
  file: string;
  /** Where in its file it begins. */
  line: number;
  data: Mapping;
  given: Mapping;
  expected: ExpectedAnswer;
}

/** The result of a case. `actual` is the policy's answer, or why there is none; `differs` are the parts that differ. */
export interface CaseResult {
  case: PolicyCase;
  passed: boolean;
  actual: PolicyAnswer | string;
  differs: readonly AnswerPart[];
}

export type AnswerPart = keyof PolicyAnswer;

/** Reads every case of a policy folder. Throws `configuration_invalid` with file and line. */
export async function readCases(folder: string): Promise<PolicyCase[]> {
  const cases: PolicyCase[] = [];
  for (const file of await caseFiles(folder)) cases.push(...parseCases(file, await readFile(file, 'utf8')));
  return cases;
}

/** Reads the cases of one file's text. Throws `configuration_invalid` with file and line. */
export function parseCases(file: string, text: string): PolicyCase[] {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter });
  const lineOf = (where: readonly PropertyKey[]) =>
    counter.linePos(startOf(document.contents, where) ?? 0).line || 1;
  const [mistake] = document.errors;
  if (mistake !== undefined)
    throw invalid(file, mistake.linePos?.[0].line ?? 1, mistake.message.split('\n')[0] ?? '');
  const parsed = fileSchema.safeParse(document.toJS());
  if (!parsed.success) {
    // A misspelt name is also the reason why the right one is missing.
    const { issues } = parsed.error;
    const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
    const where = issue?.path ?? [];
    throw invalid(file, lineOf(where), `${where.join('.') || 'the file'}: ${issue?.message}`);
  }
  const { whole, data, given, cases } = parsed.data;
  const empty = whole ? { reasons: [], obligations: [], notes: [] } : {};
  return cases.map((one, index) => ({
    name: one.name,
    file,
    line: lineOf(['cases', index]),
    data: withConfig(data, one.data),
    given: merged(given, one.given),
    expected: { ...empty, ...one.expect },
  }));
}

/**
 * Evaluates a bundle with each case; the data of the case overrides that of the bundle.
 * Throws `configuration_invalid` with file and line when `given` does not make a valid input.
 */
export function runCases(bundle: Uint8Array, cases: readonly PolicyCase[]): CaseResult[] {
  const files = readArchive(bundle, ['/policy.wasm', '/data.json']);
  const own = mappingSchema.parse(JSON.parse(Buffer.from(files['/data.json']).toString('utf8')));
  const policies = new Map<string, Policy>();
  return cases.map((one) => {
    const data = withConfig(own, one.data);
    const json = JSON.stringify(data);
    const policy =
      policies.get(json) ?? new Policy(files['/policy.wasm'], Uint8Array.from(Buffer.from(json)));
    policies.set(json, policy);
    const actual = answerOf(policy, inputAbout(one.given, data, `${one.file}:${one.line}: given`));
    const differs = typeof actual === 'string' ? [] : differingParts(one.expected, actual);
    return { case: one, passed: typeof actual !== 'string' && differs.length === 0, actual, differs };
  });
}

function answerOf(policy: Policy, input: object): PolicyAnswer | string {
  try {
    return policy.evaluate(input);
  } catch (cause) {
    if (cause instanceof Fault) return cause.detail ?? cause.code;
    throw cause;
  }
}

/** Returns the parts of an answer that are expected, and are otherwise. */
function differingParts(expected: ExpectedAnswer, actual: PolicyAnswer): AnswerPart[] {
  const parts: AnswerPart[] = [];
  if (expected.verdict !== undefined && expected.verdict !== actual.verdict) parts.push('verdict');
  if (!areReasons(expected.reasons, actual.reasons)) parts.push('reasons');
  if (expected.obligations !== undefined && !isDeepStrictEqual(expected.obligations, actual.obligations))
    parts.push('obligations');
  if (!areReasons(expected.notes, actual.notes)) parts.push('notes');
  return parts;
}

function areReasons(expected: ExpectedAnswer['reasons'], actual: PolicyAnswer['reasons']): boolean {
  if (expected === undefined) return true;
  return (
    expected.length === actual.length &&
    expected.every(({ rule, text }, index) => {
      const one = actual[index];
      return one?.rule === rule && (text === undefined || text === one.text);
    })
  );
}

/** Returns data overridden by other data: each member of `config` belongs to one rule and is replaced as a whole. */
function withConfig(below: Mapping, above: Mapping): Mapping {
  const [lower, upper] = [below['config'], above['config']].map((one) => mappingSchema.safeParse(one));
  const config = { ...(lower?.success ? lower.data : {}), ...(upper?.success ? upper.data : {}) };
  return { ...below, ...above, config };
}

/** Returns the offset of a value in the text, or that of the innermost value around it. */
function startOf(root: Node | null, where: readonly PropertyKey[]): number | undefined {
  let node: unknown = root;
  let start = root?.range?.[0];
  for (const step of where) {
    if (!isMap(node) && !isSeq(node)) return start;
    node = node.get(typeof step === 'symbol' ? String(step) : step, true);
    const range = z.object({ range: z.tuple([z.number()], z.number()) }).safeParse(node);
    if (!range.success) return start;
    start = range.data.range[0];
  }
  return start;
}

function invalid(file: string, line: number, detail: string): Fault {
  return new Fault('configuration_invalid', { detail: `${file}:${line}: ${detail}` });
}
