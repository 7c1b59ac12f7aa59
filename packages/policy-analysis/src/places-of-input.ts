/** The places of a policy input: its leaves and what holds them, by path, and how it looks with one of them changed. */
import type { Json } from '@interlock/contracts';

export type Path = readonly (string | number)[];

/** A place below the document itself. */
export interface Place {
  path: Path;
  value: Json;
  /** Nothing is below it: a text, a number, true, false, null, or an empty list or object. */
  isLeaf: boolean;
  /** Another place that says the same and changes with it. */
  twin?: Path;
}

/** Deeper than any body that passes ingress. */
const DEPTH_MAX = 64;

/** Returns every place of a document, what is inside before what holds it. */
export function placesOf(document: Json, path: Path = []): Place[] {
  if (path.length > DEPTH_MAX) return [];
  const inside = membersOf(document).flatMap(([step, value]) => {
    const own = [...path, step];
    const below = placesOf(value, own);
    return [...below, { path: own, value, isLeaf: below.length === 0 }];
  });
  return inside;
}

/**
 * Returns a document with another value at a place; undefined takes away what is there.
 * Throws `TypeError` for a place that is not there.
 */
export function changedAt(document: Json, [step, ...rest]: Path, value: Json | undefined): Json {
  if (step === undefined) throw new TypeError('The document itself is no place in it.');
  const members = membersOf(document).flatMap(([name, own]): [string | number, Json][] => {
    if (name !== step) return [[name, own]];
    if (rest.length > 0) return [[name, changedAt(own, rest, value)]];
    return value === undefined ? [] : [[name, value]];
  });
  if (Array.isArray(document)) return members.map(([, own]) => own);
  const isNew = rest.length === 0 && value !== undefined && members.every(([name]) => name !== step);
  return Object.fromEntries(isNew ? [...members, [step, value]] : members);
}

/** Returns what stands at a place. */
export function valueAt(document: Json, path: Path): Json | undefined {
  let value: Json | undefined = document;
  for (const step of path) {
    if (value === undefined) return undefined;
    value = membersOf(value).find(([name]) => name === step)?.[1];
  }
  return value;
}

const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Returns a place as a person names it: `tool.labels[0]`; arguments by their JSON Pointer, `arguments./amount`. */
export function nameOf(path: Path): string {
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

/** Returns whether a place is another one or below it. */
export function isWithin(path: Path, outer: Path): boolean {
  return outer.every((step, index) => path[index] === step);
}

function membersOf(value: Json): [string | number, Json][] {
  if (Array.isArray(value)) return [...value.entries()];
  if (typeof value === 'object' && value !== null) return Object.entries(value);
  return [];
}
