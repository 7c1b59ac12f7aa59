/**
 * The narrowest grants (`data.config.allow_listed`) that would allow recorded calls.
 *
 * 1. A grant is for one agent of one tenant and one tool. It never says "*".
 * 2. Every value a call had is inside; what no call had is outside as far as conditions can say it. An argument whose
 *    values no condition describes is named as free, so that a person decides about it.
 * 3. Only conditions that hold for each of the calls are written: whoever checks the grants finds them all allowed.
 */
import { type Json, type PolicyInput, pointerOf, valueAt } from '@interlock/contracts';

/** Distinct values that are still a list of what was meant, and not a sample of what there is. */
const FEW = 5;
/** Conditions of one grant: more arguments than a person reads are left to the schema. */
const CONDITIONS_MAX = 64;

/** A condition on an argument, as the rule `allow_listed` reads it. */
export interface Condition {
  /** JSON Pointer (RFC 6901) through objects. */
  at: string;
  equals?: Json;
  one_of?: Json[];
  min?: number;
  max?: number;
  prefix?: string;
  domain_of?: string[];
  only?: string[];
  optional?: true;
}

export interface Grant {
  tenants: string[];
  agents: string[];
  tools: string[];
  where: Condition[];
}

export interface GrantFor {
  grant: Grant;
  calls: number;
  /** Arguments that may have any value: their values differ too much to say what they have in common. */
  free: string[];
}

/** Returns a grant for each agent and tool of the calls, the most used first. */
export function grantsFor(inputs: readonly PolicyInput[]): GrantFor[] {
  const groups = Map.groupBy(inputs, ({ subject, tool }) =>
    JSON.stringify([subject.tenant, subject.agent, tool.name]),
  );
  return [...groups.values()].map(grantOf).sort((one, other) => other.calls - one.calls);
}

function grantOf(inputs: readonly PolicyInput[]): GrantFor {
  const [first] = inputs;
  if (first === undefined) throw new TypeError('A grant is for at least one call.');
  const free: string[] = [];
  const where = conditionsAt('', inputs, free);
  return {
    grant: {
      tenants: [first.subject.tenant],
      agents: [first.subject.agent],
      tools: [first.tool.name],
      where: where.slice(0, CONDITIONS_MAX),
    },
    calls: inputs.length,
    free: [...free, ...where.slice(CONDITIONS_MAX).map(({ at }) => at)],
  };
}

/** Returns the conditions on an object of the arguments and on everything in it. */
function conditionsAt(at: string, inputs: readonly PolicyInput[], free: string[]): Condition[] {
  const objects = inputs.map((input) => valueAt(input.arguments, at)).filter(isObject);
  const names = [...new Set(objects.flatMap((object) => Object.keys(object)))].sort();
  const own: Condition = { at, only: names, ...(objects.length < inputs.length ? { optional: true } : {}) };
  return [own, ...names.flatMap((name) => conditionsOn(`${at}${pointerOf([name])}`, inputs, free))];
}

function conditionsOn(at: string, inputs: readonly PolicyInput[], free: string[]): Condition[] {
  const having = inputs.filter((input) => valueAt(input.arguments, at) !== undefined);
  const whole = having.map((input) => valueAt(input.arguments, at)).filter((value) => value !== undefined);
  if (whole.every(isObject)) return conditionsAt(at, inputs, free);
  const said = sameOf(whole) ?? describing(at, having, whole);
  if (said === undefined) {
    free.push(at);
    return [];
  }
  return [{ at, ...said, ...(having.length < inputs.length ? { optional: true } : {}) }];
}

type Said = Omit<Condition, 'at' | 'optional'>;

function sameOf(whole: readonly Json[]): Said | undefined {
  const [first] = whole;
  if (first === undefined || distinct(whole).length > 1) return undefined;
  return { equals: first };
}

/** Says what values have in common; of lists, what each of their values has. An empty list has nothing to say it of. */
function describing(at: string, having: readonly PolicyInput[], whole: readonly Json[]): Said | undefined {
  if (whole.some((value) => isObject(value) || (Array.isArray(value) && value.length === 0)))
    return undefined;
  const different = distinct(whole.flat());
  const isFlat = different.every((value) => !Array.isArray(value) && !isObject(value));
  if (isFlat && different.length <= FEW) return { one_of: different };
  const numbers = different.filter((value) => typeof value === 'number');
  if (numbers.length === different.length) return { min: Math.min(...numbers), max: Math.max(...numbers) };
  const texts = different.filter((value) => typeof value === 'string');
  if (texts.length !== different.length) return undefined;
  return domainsOf(at, having) ?? prefixOf(texts);
}

/** The domains of the addresses and URLs a parser read there, where it read them all. */
function domainsOf(at: string, having: readonly PolicyInput[]): Said | undefined {
  const found = having.map(({ facts }) =>
    [...facts.recipients, ...facts.destinations].filter(
      (fact) => fact.at === at || fact.at?.startsWith(`${at}/`) === true,
    ),
  );
  if (found.some((facts) => facts.length === 0)) return undefined;
  const domains = found.flat().map((fact) => {
    if (!fact.readable) return undefined;
    return 'domain' in fact ? fact.domain : fact.host;
  });
  const known = domains.filter((domain) => domain !== undefined);
  const different = [...new Set(known)].sort();
  if (known.length < domains.length || different.length > FEW) return undefined;
  return { domain_of: different };
}

/** The folder that all texts are in. The rule takes no text that climbs or is escaped, so neither may be here. */
function prefixOf(texts: readonly string[]): Said | undefined {
  if (texts.some((text) => /\.\.|\\|%/.test(text))) return undefined;
  const [first = '', ...others] = texts;
  let length = first.length;
  for (const text of others) while (!text.startsWith(first.slice(0, length))) length -= 1;
  const prefix = first.slice(0, first.lastIndexOf('/', length - 1) + 1);
  const isWhole = !prefix.includes('://') || prefix.split('/').length > 3;
  return prefix.length > 1 && isWhole ? { prefix } : undefined;
}

function distinct(values: readonly Json[]): Json[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).entries()]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, value]) => value);
}

function isObject(value: Json | undefined): value is { [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
