/** The nodes of a policy input: every value in it with its path, and the input with one of them changed. */
import type { Json } from '@interlock/contracts';

export type Path = readonly (string | number)[];

/** A value below the document itself. */
export interface InputNode {
  path: Path;
  value: Json;
  /** True for a scalar, an empty list and an empty object: nothing is below it. */
  isLeaf: boolean;
  /** The path of another node with the same meaning, which is changed together with this one. */
  alias?: Path;
}

/** Deeper than any body that ingress accepts. */
const DEPTH_MAX = 64;

/** Returns every node of a document, each after those below it. */
export function nodesOf(document: Json, path: Path = []): InputNode[] {
  if (path.length > DEPTH_MAX) return [];
  return membersOf(document).flatMap(([step, value]) => {
    const own = [...path, step];
    const below = nodesOf(value, own);
    return [...below, { path: own, value, isLeaf: below.length === 0 }];
  });
}

/**
 * Returns a document with another value at a path; undefined removes the value.
 * Throws `TypeError` for a path that does not exist.
 */
export function withValueAt(document: Json, [step, ...rest]: Path, value: Json | undefined): Json {
  if (step === undefined) throw new TypeError('The path of a node has at least one step.');
  const members = membersOf(document).flatMap(([name, own]): [string | number, Json][] => {
    if (name !== step) return [[name, own]];
    if (rest.length > 0) return [[name, withValueAt(own, rest, value)]];
    return value === undefined ? [] : [[name, value]];
  });
  if (Array.isArray(document)) return members.map(([, own]) => own);
  const isNew = rest.length === 0 && value !== undefined && members.every(([name]) => name !== step);
  return Object.fromEntries(isNew ? [...members, [step, value]] : members);
}

/** Returns the value at a path. */
export function valueAt(document: Json, path: Path): Json | undefined {
  let value: Json | undefined = document;
  for (const step of path) {
    if (value === undefined) return undefined;
    value = membersOf(value).find(([name]) => name === step)?.[1];
  }
  return value;
}

const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Returns a path as text: `tool.labels[0]`; in the arguments as a JSON Pointer, `arguments./amount`. */
export function pathText(path: Path): string {
  const [first, ...rest] = path;
  if (first === 'arguments' && rest.length > 0) {
    const tokens = rest.map((step) => String(step).replaceAll('~', '~0').replaceAll('/', '~1'));
    return `arguments./${tokens.join('/')}`;
  }
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!PLAIN_NAME.test(step)) return `[${JSON.stringify(step)}]`;
      return index === 0 ? step : `.${step}`;
    })
    .join('');
}

/** Returns whether a path is another one or below it. */
export function isWithin(path: Path, outer: Path): boolean {
  return outer.every((step, index) => path[index] === step);
}

function membersOf(value: Json): [string | number, Json][] {
  if (Array.isArray(value)) return [...value.entries()];
  if (typeof value === 'object' && value !== null) return Object.entries(value);
  return [];
}
