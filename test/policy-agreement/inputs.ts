/** Inputs in the shape of the schema, out of what one rule knows: so that its conditions meet often. */
import { policyInputSchema } from '@interlock/contracts';
import fc from 'fast-check';
import { z } from 'zod';
import type { LibraryRule } from './library.ts';

/** What values are drawn from. */
export interface Pool {
  strings: string[];
  numbers: number[];
  /** Names that stand for tools in the rule's data, and everything else there that could be one. */
  tools: string[];
  names: string[];
  /** JSON Pointers in the rule's data. */
  pointers: string[];
}

const NUMBERS = [0, 1, -1, 0.5, 2, 10, 1_440, 1e15];
const STRINGS = ['', 'x', 'acme', 'ada', 'ä–漢🙂', 'a/b', '*', 'https://example.com'];
const LABELS = ['reads-private', 'returns-untrusted', 'sends-external', 'destructive', 'spends', 'writes'];

/** Gathers the pool of a rule from the texts of its module and its data. */
export function poolOf({ literals }: LibraryRule, settings: unknown): Pool {
  const pool: Pool = {
    strings: [...STRINGS, ...LABELS],
    numbers: [...NUMBERS],
    tools: [],
    names: [],
    pointers: [],
  };
  // A sentence is what a rule says, not what it compares with.
  pool.strings.push(...literals.filter((literal) => !literal.endsWith('.')));
  gather(settings, pool, 0);
  return pool;
}

function gather(value: unknown, pool: Pool, depth: number): void {
  if (typeof value === 'number') pool.numbers.push(value, value - 1, value + 1);
  if (typeof value === 'string') {
    pool.strings.push(value);
    pool.names.push(value);
  }
  if (typeof value === 'string' && value.startsWith('/')) pool.pointers.push(value);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    if (!Array.isArray(value)) pool.strings.push(key);
    const names = key === 'tools' && typeof member === 'object' && member !== null ? member : {};
    pool.tools.push(...(Array.isArray(names) ? names.map(String) : Object.keys(names)));
    if (depth === 0 && !Array.isArray(value)) pool.tools.push(key);
    gather(member, pool, depth + 1);
  }
}

const inputSchema = z.toJSONSchema(policyInputSchema, { target: 'draft-7', io: 'output' });

/** Returns inputs drawn from a pool; every one is what the decider could show to policy. */
export function inputsFrom(pool: Pool): fc.Arbitrary<object> {
  const whole = z.looseObject({}).parse(inputSchema);
  return fc
    .record({ input: ofSchema(nodeSchema.parse(whole), pool), placed: placedIn(pool), tool: toolOf(pool) })
    .map(({ input, placed, tool }) => {
      const drawn = drawnSchema.parse(input);
      for (const [pointer, value] of placed) setAt(drawn.arguments, pointer, value);
      return { ...drawn, tool: { ...drawn.tool, ...tool } };
    });
}

const drawnSchema = z.looseObject({
  arguments: z.record(z.string(), z.unknown()),
  tool: z.record(z.string(), z.unknown()),
});

function toolOf(pool: Pool): fc.Arbitrary<Record<string, unknown>> {
  const names = fc.oneof(identifiers([...pool.tools, 'other']), identifiers([...pool.names, 'other']));
  return fc.record({ name: names, labels: fc.subarray(LABELS, { maxLength: 3 }) });
}

/** Values for the places the rule's data points to. */
function placedIn(pool: Pool): fc.Arbitrary<[string, unknown][]> {
  if (pool.pointers.length === 0) return fc.constant([]);
  return fc.array(fc.tuple(fc.constantFrom(...pool.pointers), argumentsFrom(pool)), { maxLength: 6 });
}

function setAt(into: Record<string, unknown>, pointer: string, value: unknown): void {
  const tokens = pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  let at = into;
  for (const token of tokens.slice(0, -1)) {
    const next = z.record(z.string(), z.unknown()).safeParse(at[token]);
    at = next.success ? next.data : {};
  }
  at[tokens.at(-1) ?? ''] = value;
}

function argumentsFrom({ strings, numbers }: Pool): fc.Arbitrary<unknown> {
  const scalar = fc.oneof(
    fc.constantFrom<unknown>(...strings),
    fc.constantFrom<unknown>(...numbers),
    fc.constantFrom<unknown>(true, false, null),
  );
  const fields = fc.dictionary(fc.constantFrom(...strings), scalar, { maxKeys: 3 });
  const many = fc.integer({ min: 10, max: 250 }).map((length) => Array.from({ length }, () => 'x'));
  return fc.oneof(
    { weight: 6, arbitrary: scalar },
    { weight: 2, arbitrary: fc.array(fc.oneof(scalar, fields), { maxLength: 4 }) },
    { weight: 2, arbitrary: fields },
    { weight: 1, arbitrary: many },
  );
}

const nodeSchema = z.looseObject({
  type: z.string().optional(),
  const: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  anyOf: z.array(z.looseObject({})).optional(),
  properties: z.record(z.string(), z.looseObject({})).optional(),
  required: z.array(z.string()).default([]),
  additionalProperties: z.union([z.boolean(), z.looseObject({})]).optional(),
  items: z.looseObject({}).optional(),
  maxItems: z.number().optional(),
  maxLength: z.number().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  pattern: z.string().optional(),
  format: z.string().optional(),
});
type Node = z.infer<typeof nodeSchema>;

/** Returns what a schema describes, filled from the pool. One list in fifty is long, but no list inside another. */
function ofSchema(node: Node, pool: Pool, inList = false): fc.Arbitrary<unknown> {
  if (node.const !== undefined) return fc.constant(node.const);
  if (node.enum !== undefined) return fc.constantFrom(...node.enum);
  if (node.anyOf !== undefined)
    return fc.oneof(...node.anyOf.map((one) => ofSchema(nodeSchema.parse(one), pool, inList)));
  switch (node.type) {
    case 'object':
      return ofObject(node, pool, inList);
    case 'array':
      return ofArray(node, pool, inList);
    case 'string':
      return ofString(node, pool);
    case 'number':
    case 'integer':
      return ofNumber(node, pool);
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default:
      return argumentsFrom(pool);
  }
}

function ofObject(node: Node, pool: Pool, inList: boolean): fc.Arbitrary<unknown> {
  const { properties, required, additionalProperties } = node;
  if (properties !== undefined) {
    const members = Object.entries(properties).map(
      ([name, member]) => [name, ofSchema(nodeSchema.parse(member), pool, inList)] as const,
    );
    return fc.record(Object.fromEntries(members), { requiredKeys: required });
  }
  const value = typeof additionalProperties === 'object' ? nodeSchema.parse(additionalProperties) : undefined;
  const values = value === undefined ? argumentsFrom(pool) : ofSchema(value, pool, inList);
  return fc.dictionary(fc.constantFrom(...pool.strings), values, { maxKeys: 5, noNullPrototype: true });
}

function ofArray({ items, maxItems = 8 }: Node, pool: Pool, inList: boolean): fc.Arbitrary<unknown> {
  const item = ofSchema(nodeSchema.parse(items ?? {}), pool, true);
  const few = fc.array(item, { maxLength: Math.min(3, maxItems) });
  const many = item.map((one) => Array.from({ length: Math.min(120, maxItems) }, () => one));
  return inList ? few : fc.oneof({ weight: 49, arbitrary: few }, { weight: 1, arbitrary: many });
}

function ofString(
  { pattern, format, maxLength = Number.POSITIVE_INFINITY }: Node,
  pool: Pool,
): fc.Arbitrary<unknown> {
  if (format === 'date-time') return fc.constantFrom('2026-11-21T09:00:00.000Z', '2026-11-22T23:59:59Z');
  if (format === 'date') return fc.constantFrom('2026-11-21', '2026-11-23', '2026-12-25');
  const shape = new RegExp(pattern ?? '');
  const fitting = [...pool.strings, ...DIGESTS].filter(
    (text) => shape.test(text) && text.length <= maxLength,
  );
  if (fitting.length === 0) throw new Error(`Nothing in the pool fits ${pattern}.`);
  return fc.constantFrom(...fitting);
}

const DIGESTS = ['1', '2'].map((digit) => digit.repeat(64));

function ofNumber(node: Node, { numbers }: Pool): fc.Arbitrary<unknown> {
  const { type, minimum = -1e15, maximum = 1e15 } = node;
  const fitting = numbers.filter(
    (number) => number >= minimum && number <= maximum && (type === 'number' || Number.isInteger(number)),
  );
  const whole = fc.integer({ min: Math.max(minimum, 0), max: Math.min(maximum, 2_000_000_000_000) });
  return fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...fitting) }, { weight: 1, arbitrary: whole });
}

function identifiers(names: string[]): fc.Arbitrary<string> {
  return fc.constantFrom(...names.filter((name) => /^[A-Za-z0-9_-]{1,64}$/.test(name)));
}
