import { z } from 'zod';

/**
 * The functions that a rule may call: those that OPA compiles into the module itself, so that they run within its
 * limits of memory and time and the runtime provides none of its own. Not among them are
 * - patterns (`regex.*`, `glob.match`): a parser reads what an argument means into `input.facts`;
 * - `json.*` readers and writers of text, for the same reason;
 * - what OPA deprecates.
 * All other functions of OPA would need something from outside: a clock, randomness, the network, cryptography; and
 * `sprintf`, instead of which rules use template strings.
 */
export const FUNCTIONS: readonly string[] = [
  'abs',
  'and',
  'array.concat',
  'array.flatten',
  'array.reverse',
  'array.slice',
  'assign',
  'bits.and',
  'bits.lsh',
  'bits.negate',
  'bits.or',
  'bits.rsh',
  'bits.xor',
  'ceil',
  'concat',
  'contains',
  'count',
  'div',
  'endswith',
  'eq',
  'equal',
  'floor',
  'format_int',
  'graph.reachable',
  'gt',
  'gte',
  'indexof',
  'internal.member_2',
  'internal.member_3',
  'internal.template_string',
  'intersection',
  'is_array',
  'is_boolean',
  'is_null',
  'is_number',
  'is_object',
  'is_set',
  'is_string',
  'json.filter',
  'json.remove',
  'lower',
  'lt',
  'lte',
  'max',
  'min',
  'minus',
  'mul',
  'neq',
  'net.cidr_contains',
  'net.cidr_intersects',
  'numbers.range',
  'object.filter',
  'object.get',
  'object.keys',
  'object.remove',
  'object.union',
  'object.union_n',
  'or',
  'plus',
  'product',
  'rem',
  'replace',
  'round',
  'sort',
  'split',
  'startswith',
  'strings.replace_n',
  'strings.reverse',
  'substring',
  'sum',
  'to_number',
  'trim',
  'trim_left',
  'trim_prefix',
  'trim_right',
  'trim_space',
  'trim_suffix',
  'type_name',
  'union',
  'upper',
  'walk',
];

const capabilitiesSchema = z.looseObject({ builtins: z.array(z.looseObject({ name: z.string() })) });

/** Reduces the output of `opa capabilities --current` to the functions a rule may call. Returns JSON for `opa check`. */
export function withAllowedFunctions(capabilities: string): string {
  const { builtins, ...rest } = capabilitiesSchema.parse(JSON.parse(capabilities));
  const kept = new Set(FUNCTIONS);
  return JSON.stringify({ ...rest, builtins: builtins.filter(({ name }) => kept.has(name)) });
}
