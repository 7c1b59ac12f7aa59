/**
 * Closes a tool's schema, so that an argument its author never named is refused (docs/decisions/026).
 *
 * The rule, on a private copy:
 * 1. An object schema that names `properties` and says nothing about others gets `additionalProperties: false`.
 * 2. Where it is put together (`$ref`, `allOf`, `anyOf`, `oneOf`, `if`, `dependentSchemas` …) it gets
 *    `unevaluatedProperties: false` at the place of use instead: the parts see each other's properties.
 *    The parts themselves, and definitions, stay open at their own level.
 * 3. It stays open where its author left a way for any object: `additionalProperties`, `unevaluatedProperties` or
 *    `patternProperties` stand there, or one alternative of `anyOf` or `oneOf` takes any object, or a reference
 *    cannot be followed here.
 * 4. Under `not`, `if`, `contains` and `propertyNames` nothing changes: there, stricter parts make a looser whole.
 * 5. Closing can only refuse more. Parts of `oneOf`, and references from the places of 4, could break that, so
 *    `monotone` says whether the copy alone is enough; if not, the caller asks the original too.
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
/** Words about a schema that say nothing about values. */
const ANNOTATIONS = new Set(['title', 'description', '$comment', 'examples', 'default', 'deprecated']);

/** Returns a closed copy of a schema. The schema itself is not changed. */
export function closeSchema(original: JsonObject): ClosedSchema {
  const schema = structuredClone(original);
  const reader = new Reader(schema);
  closeValue(schema, reader);
  // What only a reference reaches, outside of the known folders of definitions, is closed below its own level too.
  for (const target of reader.targets) closePart(target, reader);
  return { schema, monotone: !reader.sawNotMonotone };
}

type Reading = 'names' | 'open' | 'silent';

/** What has to be known of the whole schema while one place is looked at. */
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
  if (!names || isOpened) return;
  const isComposed = COMPOSED.some((keyword) => Object.hasOwn(schema, keyword));
  schema[isComposed ? 'unevaluatedProperties' : 'additionalProperties'] = false;
}

/** A part of a composition, or a definition: open at its own level, closed below it. */
function closePart(schema: unknown, reader: Reader): void {
  if (isObject(schema) && reader.enter(schema)) descend(schema, reader);
}

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

/** What a schema says of an object's members: it `names` them, it is `open` to any, or it is `silent` about them. */
function readingOf(schema: unknown, reader: Reader): Reading {
  if (!isObject(schema)) return 'silent';
  const known = reader.readings.get(schema);
  if (known !== undefined) return known;
  // A schema that comes back to itself adds nothing to what it says already; each is read once.
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
  const said = Object.keys(schema).filter((keyword) => !ANNOTATIONS.has(keyword));
  return said.length === 0 || (said.length === 1 && schema['type'] === 'object');
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
