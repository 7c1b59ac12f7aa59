/**
 * Cases: the answers that a policy is expected to give about calls, in YAML for people who do not program.
 *
 * A file is `{about?, data?, given?, cases: [{name, data?, given?, expect}]}`. `data` is what rules read below `data`, as in
 * `data.yaml`; `given` is what is special about the call. A case overrides its file, and a file overrides the policy's
 * own data and the plain call.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Fault, type PolicyAnswer, policyAnswerSchema, policyInputSchema } from '@interlock/contracts';
import { isMap, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { z } from 'zod';
import { readArchive } from './archive.ts';
import { exists, namesIn } from './files.ts';
import { localTimes } from './local-times.ts';
import { Policy } from './rego.ts';

const CASES_PER_FILE_MAX = 1_000;
const FILES_MAX = 1_000;

const mappingSchema = z.record(z.string(), z.unknown());
type Mapping = z.infer<typeof mappingSchema>;

const caseSchema = z.strictObject({
  name: z.string().min(1).max(200),
  data: mappingSchema.default({}),
  given: mappingSchema.default({}),
  /** The whole answer; a list that is left out is empty. */
  expect: z.strictObject({
    ...policyAnswerSchema.shape,
    reasons: policyAnswerSchema.shape.reasons.default([]),
    obligations: policyAnswerSchema.shape.obligations.default([]),
    notes: policyAnswerSchema.shape.notes.default([]),
  }),
});

const fileSchema = z.strictObject({
  about: z.string().max(2_000).optional(),
  data: mappingSchema.default({}),
  given: mappingSchema.default({}),
  cases: z.array(caseSchema).min(1).max(CASES_PER_FILE_MAX),
});

/** A plain call: clerk, for Ada of acme, reads an order on a Wednesday. */
const PLAIN_CALL: Mapping = {
  subject: { agent: 'clerk', user: 'ada', tenant: 'acme', roles: ['support'], proof: 'api_key' },
  action: { name: 'execute_tool' },
  tool: { name: 'read_order', version: '0'.repeat(64), labels: [], firstUse: false },
  arguments: {},
  facts: {},
  session: { id: 'task', labels: [], openedAt: 0 },
  history: { denied: [] },
  context: { time: '2026-01-14T10:00:00Z', door: 'executor', environment: 'local' },
};

/** One case, ready to be asked. */
export interface PolicyCase {
  name: string;
  file: string;
  /** Where in its file it begins. */
  line: number;
  data: Mapping;
  given: Mapping;
  expected: PolicyAnswer;
}

/** The result of a case. `actual` is the policy's answer, or why there is none. */
export interface CaseResult {
  case: PolicyCase;
  passed: boolean;
  actual: PolicyAnswer | string;
}

/**
 * Reads every case of a policy folder: `rules/<name>/*_cases.yaml` about one rule, and `main/*_cases.yaml` about several
 * rules together. Throws `configuration_invalid` with file and line.
 */
export async function readCases(folder: string): Promise<PolicyCase[]> {
  const cases: PolicyCase[] = [];
  for (const file of await caseFiles(folder)) cases.push(...parseCases(file, await readFile(file, 'utf8')));
  return cases;
}

/** Returns the YAML files of a policy folder that hold neither its data nor cases that `readCases` reads. */
export async function ignoredFiles(folder: string): Promise<string[]> {
  const read = new Set([path.join(folder, 'data.yaml'), ...(await caseFiles(folder))]);
  const names = (await exists(folder)) ? await readdir(folder, { recursive: true }) : [];
  return names
    .filter((name) => /\.ya?ml$/.test(name))
    .map((name) => path.join(folder, name))
    .filter((file) => !read.has(file))
    .sort();
}

async function caseFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const name of await namesIn(path.join(folder, 'rules')))
    files.push(...(await casesIn(path.join(folder, 'rules', name))));
  files.push(...(await casesIn(path.join(folder, 'main'))));
  if (files.length > FILES_MAX) throw invalid(folder, 1, `there are more than ${FILES_MAX} files of cases`);
  return files;
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
  const { data, given, cases } = parsed.data;
  return cases.map((one, index) => ({
    name: one.name,
    file,
    line: lineOf(['cases', index]),
    data: withConfig(data, one.data),
    given: merged(given, one.given),
    expected: one.expect,
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
    const actual = answerOf(policy, inputOf(one, data));
    return { case: one, passed: isDeepStrictEqual(actual, one.expected), actual };
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

/** A case gives `context.time`; milliseconds and local times are computed from it, as in the decider. */
function inputOf({ file, line, given }: PolicyCase, data: Mapping): object {
  const call = merged(PLAIN_CALL, given);
  const context = mappingSchema.parse(call['context']);
  const epochMs = Date.parse(String(context['time']));
  const derived = { epochMs, local: localTimes(zonesOf(data), epochMs), ...context };
  const parsed = policyInputSchema.safeParse({ ...call, context: derived });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalid(file, line, `given.${issue?.path.join('.')}: ${issue?.message}`);
}

function zonesOf(data: Mapping): string[] {
  const parsed = z.object({ config: z.object({ zones: z.array(z.string()) }) }).safeParse(data);
  return parsed.success ? parsed.data.config.zones : [];
}

/** Returns data overridden by other data: each member of `config` belongs to one rule and is replaced as a whole. */
function withConfig(below: Mapping, above: Mapping): Mapping {
  const [lower, upper] = [below['config'], above['config']].map((one) => mappingSchema.safeParse(one));
  const config = { ...(lower?.success ? lower.data : {}), ...(upper?.success ? upper.data : {}) };
  return { ...below, ...above, config };
}

/** Merges mappings; other values are replaced. */
function merged(below: Mapping, above: Mapping): Mapping {
  const result = { ...below };
  for (const [name, value] of Object.entries(above)) {
    const [lower, upper] = [mappingSchema.safeParse(result[name]), mappingSchema.safeParse(value)];
    result[name] = lower.success && upper.success ? merged(lower.data, upper.data) : value;
  }
  return result;
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

async function casesIn(folder: string): Promise<string[]> {
  const names = await namesIn(folder);
  return names.filter((name) => name.endsWith('_cases.yaml')).map((name) => path.join(folder, name));
}

function invalid(file: string, line: number, detail: string): Fault {
  return new Fault('configuration_invalid', { detail: `${file}:${line}: ${detail}` });
}
