/** One YAML file of a configuration: its content, and the place of every mistake in it. */
import { readFile } from 'node:fs/promises';
import { pointerOf } from '@interlock/contracts';
import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';

/** Far above any real file: a file that was named by mistake is not read whole. */
const FILE_BYTES = 1_048_576;
/** References to anchors in one file: enough for reuse, too few for a document that expands without end. */
const ALIASES_MAX = 100;
const ISSUES_MAX = 20;

/** One mistake: where it is, and what was expected. */
export interface ConfigurationIssue {
  file: string;
  line: number;
  column: number;
  /** JSON Pointer (RFC 6901). */
  pointer: string;
  expected: string;
}

export type Read<T> =
  | { value: T; issues: []; issueAt: IssueAt }
  | { value: undefined; issues: ConfigurationIssue[] };
/** Returns the issue of a mistake that shows only beside other files. */
export type IssueAt = (path: Path, isKey: boolean, expected: string) => ConfigurationIssue;

type Path = readonly PropertyKey[];
interface Mistake {
  path: Path;
  expected: string;
  /** True when the path names a member that should not be there. */
  isExtra: boolean;
}

/** Reads a YAML 1.2 file and checks it against a schema. Mistakes name it `name`. */
export async function readYaml<S extends z.ZodType>(
  file: string,
  name: string,
  schemaFor: (value: unknown) => S,
  lengthMax = FILE_BYTES,
): Promise<Read<z.output<S>>> {
  const text = await readFile(file, 'utf8');
  const at = (line: number, column: number, pointer: string, expected: string): ConfigurationIssue => ({
    file: name,
    line,
    column,
    pointer,
    expected,
  });
  if (text.length > lengthMax) return failed([at(1, 1, '', `at most ${lengthMax} characters`)]);

  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    version: '1.2',
  });
  const wrong = [...document.errors, ...document.warnings].map(({ pos, message }) => {
    const { line, col } = lines.linePos(pos[0]);
    return at(line, col, '', message);
  });
  if (wrong.length > 0) return failed(wrong);

  const value: unknown = document.toJS({ maxAliasCount: ALIASES_MAX });
  const parsed = schemaFor(value).safeParse(value);
  const issueAt: IssueAt = (path, isExtra, expected) => {
    const { line, col } = lines.linePos(offsetOf(document, { path, isExtra, expected }));
    return at(line, col, pointerOf(path), expected);
  };
  if (parsed.success) return { value: parsed.data, issues: [], issueAt };
  return failed(
    parsed.error.issues
      .flatMap(mistakesOf)
      .map(({ path, isExtra, expected }) => issueAt(path, isExtra, expected)),
  );
}

/** Returns the mistakes behind one issue; where several shapes were possible, those of the nearest one. */
function mistakesOf(issue: z.core.$ZodIssue): Mistake[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      path: [...issue.path, key],
      expected: 'no member of this name is known here',
      isExtra: true,
    }));
  if (issue.code === 'invalid_union') {
    const [nearest] = [...issue.errors].sort((left, right) => left.length - right.length);
    if (nearest !== undefined && nearest.length > 0)
      return nearest
        .flatMap(mistakesOf)
        .map((mistake) => ({ ...mistake, path: [...issue.path, ...mistake.path] }));
  }
  return [
    {
      path: issue.path,
      expected: issue.message.replace(/^Invalid (input|option|string): /, ''),
      isExtra: false,
    },
  ];
}

/** Returns where a mistake is: an extra member's key, else the value, else what the value is missing from. */
function offsetOf(document: ReturnType<typeof parseDocument>, { path, isExtra }: Mistake): number {
  if (isExtra) {
    const owner = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
    const pair = isMap(owner)
      ? owner.items.find(({ key }) => isScalar(key) && String(key.value) === String(path.at(-1)))
      : undefined;
    if (isNode(pair?.key) && pair.key.range) return pair.key.range[0];
  }
  for (let length = path.length; length >= 0; length -= 1) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

function failed(issues: ConfigurationIssue[]): Read<never> {
  return { value: undefined, issues: issues.slice(0, ISSUES_MAX) };
}
