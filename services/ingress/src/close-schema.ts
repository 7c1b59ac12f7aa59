/**
 * Closes a tool's schema, so that an argument which its author did not name is refused
 * (docs/decisions/026). All of this happens on a copy:
 *
 * K1. An object schema that names `properties` and does not mention others gets `additionalProperties: false`.
 * K2. A composed one (`$ref`, `allOf`, `anyOf`, `oneOf`, `if`, `dependentSchemas` …) gets `unevaluatedProperties: false`
 *     instead, where it is used: its parts see each other's properties. The parts themselves, and definitions, stay open
 *     at their own level.
 * K3. It stays open where its author allowed any object: it has `additionalProperties`, `unevaluatedProperties` or
 *     `patternProperties`, or one alternative of `anyOf` or `oneOf` accepts any object, or a reference cannot be
 *     followed here.
 * K4. Under `not`, `if`, `contains` and `propertyNames` nothing changes: there, stricter parts make a looser whole.
 * K5. Closing can only refuse more. Parts of `oneOf`, and references from the places of K4, could break that, so
 *     `monotone` says whether the copy alone is enough; if not, the caller checks against the original too.
 */
export interface ClosedSchema {
  schema: JsonObject;
  monotone: boolean;
}

export type JsonObject = { [keyword: string]: unknown };

const BRANCH_LISTS = ['allOf', 'anyOf', 'oneOf'];
const BRANCHES = ['then', 'else'];
const BRANCH_MAPS = ['dependentSchemas', 'dependencies'];
const VALUES = [
  'additionalProperties',
  'unevaluatedProperties',
  'additionalItems',
  'unevaluatedItems',
  'items',
];
const VALUE_LISTS = ['prefixItems', 'items'];
const VALUE_MAPS = ['properties', 'patternProperties'];
const DEFINITIONS = ['$defs', 'definitions'];
const REFERENCES = ['$ref', '$dynamicRef', '$recursiveRef'];
const OPENERS = ['additionalProperties', 'unevaluatedProperties', 'patternProperties'];
const NOT_MONOTONE = ['oneOf', 'not', 'if', 'contains', 'propertyNames'];
const COMPOSED = [...BRANCH_LISTS, 'if', ...BRANCH_MAPS, ...REFERENCES];
/** Keywords that do not restrict values. */
const ANNOTATIONS = new Set(['title', 'description', '$comment', 'examples', 'default', 'deprecated']);

/** Returns a closed copy of a schema. The schema itself is not changed. */
export function closeSchema(original: JsonObject): ClosedSchema {
  const schema = structuredClone(original);
  const reader = new Reader(schema);
  closeValue(schema, reader);
  // What only a reference reaches, outside the known places of definitions, is closed below its own level too.
  for (const target of reader.targets) closePart(target, reader);
  return { schema, monotone: !reader.sawNotMonotone };
}

type Reading = 'names' | 'open' | 'silent';

/** What must be known of the whole schema while one place is closed. */
class Reader {
  readonly #root: JsonObject;
  readonly #entered = new Set<JsonObject>();
  readonly readings = new Map<JsonObject, Reading>();
  readonly targets = new Set<JsonObject>();
  sawNotMonotone = false;

  constructor(root: JsonObject) {
    this.#root = root;
  }

  /** True once per place. */
  enter(schema: JsonObject): boolean {
    if (this.#entered.has(schema)) return false;
    this.#entered.add(schema);
    // K5
    if (NOT_MONOTONE.some((keyword) => Object.hasOwn(schema, keyword))) this.sawNotMonotone = true;
    const target = this.follow(schema['$ref']);
    if (target !== undefined) this.targets.add(target);
    return true;
  }

  /** Follows `#` and `#/json/pointer`; anything else is not followed. */
  follow(reference: unknown): JsonObject | undefined {
    if (reference === '#') return this.#root;
    if (typeof reference !== 'string' || !reference.startsWith('#/')) return undefined;
    let place: unknown = this.#root;
    for (const token of reference.slice(2).split('/')) {
      const name = unescapeToken(token);
      if (typeof place !== 'object' || place === null || !Object.hasOwn(place, name)) return undefined;
      place = Reflect.get(place, name);
    }
    return isObject(place) ? place : undefined;
  }
}

/** A place that describes a whole value: a property, an item, the root. */
function closeValue(schema: unknown, reader: Reader): void {
  if (!isObject(schema) || !reader.enter(schema)) return;
  const names = readingOf(schema, reader) === 'names';
  const isOpened = OPENERS.some((keyword) => Object.hasOwn(schema, keyword));
  descend(schema, reader);
  // K3
  if (!names || isOpened) return;
  // K1, K2
  const isComposed = COMPOSED.some((keyword) => Object.hasOwn(schema, keyword));
  schema[isComposed ? 'unevaluatedProperties' : 'additionalProperties'] = false;
}

/** A part of a composition, or a definition (K2): open at its own level, closed below it. */
function closePart(schema: unknown, reader: Reader): void {
  if (isObject(schema) && reader.enter(schema)) descend(schema, reader);
}

/** K4: the keywords that are not named here are not descended into. */
function descend(schema: JsonObject, reader: Reader): void {
  for (const keyword of [...DEFINITIONS, ...BRANCH_MAPS]) {
    for (const part of values(schema[keyword])) closePart(part, reader);
  }
  for (const keyword of BRANCH_LISTS) for (const part of items(schema[keyword])) closePart(part, reader);
  for (const keyword of BRANCHES) closePart(schema[keyword], reader);
  for (const keyword of VALUES) closeValue(schema[keyword], reader);
  for (const keyword of VALUE_LISTS) for (const value of items(schema[keyword])) closeValue(value, reader);
  for (const keyword of VALUE_MAPS) for (const value of values(schema[keyword])) closeValue(value, reader);
}

/** Whether a schema `names` an object's members, is `open` to any, or is `silent` about them. */
function readingOf(schema: unknown, reader: Reader): Reading {
  if (!isObject(schema)) return 'silent';
  const known = reader.readings.get(schema);
  if (known !== undefined) return known;
  // A schema that refers to itself adds nothing new; each is read once.
  reader.readings.set(schema, 'silent');
  const reading = read(schema, reader);
  reader.readings.set(schema, reading);
  return reading;
}

function read(schema: JsonObject, reader: Reader): Reading {
  if (Object.hasOwn(schema, '$dynamicRef') || Object.hasOwn(schema, '$recursiveRef')) return 'open';
  const parts = [
    ...items(schema['allOf']),
    ...[...BRANCHES, 'if'].map((keyword) => schema[keyword]),
    ...BRANCH_MAPS.flatMap((keyword) => values(schema[keyword])),
  ];
  const found = parts.map((part) => readingOf(part, reader));
  for (const keyword of ['anyOf', 'oneOf']) found.push(alternatives(items(schema[keyword]), reader));
  if (Object.hasOwn(schema, '$ref')) {
    const target = reader.follow(schema['$ref']);
    found.push(target === undefined ? 'open' : readingOf(target, reader));
  }
  if (found.includes('open')) return 'open';
  return Object.hasOwn(schema, 'properties') || found.includes('names') ? 'names' : 'silent';
}

function alternatives(parts: unknown[], reader: Reader): Reading {
  const found = parts.map((part) => (takesAnyObject(part) ? 'open' : readingOf(part, reader)));
  if (found.includes('open')) return 'open';
  return found.includes('names') ? 'names' : 'silent';
}

function takesAnyObject(schema: unknown): boolean {
  if (!isObject(schema)) return schema === true;
  const keywords = Object.keys(schema).filter((keyword) => !ANNOTATIONS.has(keyword));
  return keywords.length === 0 || (keywords.length === 1 && schema['type'] === 'object');
}

function unescapeToken(token: string): string {
  const plain = token.includes('%') ? decode(token) : token;
  return plain.replaceAll('~1', '/').replaceAll('~0', '~');
}

function decode(token: string): string {
  try {
    return decodeURIComponent(token);
  } catch {
    return token;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function items(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function values(value: unknown): unknown[] {
  return isObject(value) ? Object.values(value) : [];
}
