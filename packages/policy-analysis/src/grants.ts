/**
 * The narrowest grants (`data.config.allow_listed`) that would allow recorded calls.
 *
 * G1. A grant is for one agent of one tenant and one tool. It never names "*".
 * G2. Every value of a call is covered; other values are not, as far as conditions can express it. An argument whose
 *     values no condition describes is listed as free, so that a person decides about it.
 * G3. Every condition holds for each of the calls, so the grants allow all of them.
 */
import { type Json, type PolicyInput, pointerOf, valueAt } from '@interlock/contracts';

/** Up to so many distinct values are taken as the complete list; more are only a sample. */
const LISTED_MAX = 5;
/** Conditions of one grant: a person does not review more. Further arguments are listed as free. */
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

export interface SuggestedGrant {
  grant: Grant;
  calls: number;
  /** Arguments that may have any value, because no condition describes their values. */
  free: string[];
}

/** Returns a grant for each agent and tool of the calls, the most used first. */
export function grantsFor(inputs: readonly PolicyInput[]): SuggestedGrant[] {
  const groups = Map.groupBy(inputs, ({ subject, tool }) =>
    JSON.stringify([subject.tenant, subject.agent, tool.name]),
  );
  return [...groups.values()].map(grantOf).sort((one, other) => other.calls - one.calls);
}

function grantOf(inputs: readonly PolicyInput[]): SuggestedGrant {
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
  const condition = equalTo(whole) ?? conditionFor(at, having, whole);
  if (condition === undefined) {
    free.push(at);
    return [];
  }
  return [{ at, ...condition, ...(having.length < inputs.length ? { optional: true } : {}) }];
}

type ValueCondition = Omit<Condition, 'at' | 'optional'>;

function equalTo(whole: readonly Json[]): ValueCondition | undefined {
  const [first] = whole;
  if (first === undefined || distinct(whole).length > 1) return undefined;
  return { equals: first };
}

/** Returns what values have in common; for lists, what each of their values has. There is none for an empty list. */
function conditionFor(
  at: string,
  having: readonly PolicyInput[],
  whole: readonly Json[],
): ValueCondition | undefined {
  if (whole.some((value) => isObject(value) || (Array.isArray(value) && value.length === 0)))
    return undefined;
  const different = distinct(whole.flat());
  const isFlat = different.every((value) => !Array.isArray(value) && !isObject(value));
  if (isFlat && different.length <= LISTED_MAX) return { one_of: different };
  const numbers = different.filter((value) => typeof value === 'number');
  if (numbers.length === different.length) return { min: Math.min(...numbers), max: Math.max(...numbers) };
  const texts = different.filter((value) => typeof value === 'string');
  if (texts.length !== different.length) return undefined;
  return domainsOf(at, having) ?? prefixOf(texts);
}

/** The domains of the addresses and URLs that a parser read there, if it read all of them. */
function domainsOf(at: string, having: readonly PolicyInput[]): ValueCondition | undefined {
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
  if (known.length < domains.length || different.length > LISTED_MAX) return undefined;
  return { domain_of: different };
}

/** The folder that all texts begin with. The rule accepts no text with "..", "\" or "%", so none may be here. */
function prefixOf(texts: readonly string[]): ValueCondition | undefined {
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
