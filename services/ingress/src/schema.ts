/** The fence around ajv: a tool's input schema, compiled once per version of the tool. */
import { canonicalJson, Fault, pointerOf, type Tool } from '@interlock/contracts';
import { versionOf } from '@interlock/gate';
import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { closeSchema, type JsonObject } from './close-schema.ts';
import { compilePattern } from './patterns.ts';

/** Length of a schema's JSON text in UTF-16 units: the generated code grows with it. */
const SCHEMA_LENGTH = 64 * 1_024;
/** Nesting of a schema: closing it and compiling it both recurse. */
const SCHEMA_DEPTH = 32;
/** The longest pointer that an event may have. */
const POINTER_LENGTH = 1_024;
/** How much of a validator's message goes into an answer. */
const MESSAGE_LENGTH = 500;

/** A tool with what ingress needs to check a call of it. */
export interface KnownTool {
  tool: Tool;
  version: string;
  /** Throws `arguments_invalid` with a pointer, `tool_unusable` when the schema itself is at fault, or `tool_unavailable`. */
  check: (argumentsValue: JsonObject) => void;
}

/** Prepares a tool; its schema is compiled at the first call. */
export function knowTool(tool: Tool): KnownTool {
  let check: ((argumentsValue: JsonObject) => void) | undefined;
  const { unavailable } = tool;
  return {
    tool,
    version: versionOf(tool),
    check: (argumentsValue) => {
      if (unavailable !== undefined) throw new Fault('tool_unavailable', { detail: unavailable.reason });
      check ??= compileCheck(tool.inputSchema);
      check(argumentsValue);
    },
  };
}

/** Compiles the check of arguments against a schema; an error in the schema is thrown by the check. */
export function compileCheck(schema: JsonObject): (argumentsValue: JsonObject) => void {
  let validators: ValidateFunction[];
  try {
    validators = compile(schema);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, MESSAGE_LENGTH) : 'it cannot be compiled';
    const unusable = new Fault('tool_unusable', {
      detail: `The input schema of the tool has an error: ${reason}.`,
      cause,
    });
    return () => {
      throw unusable;
    };
  }
  return (argumentsValue) => {
    for (const validate of validators) {
      if (validate(argumentsValue) !== true) throw refusalOf(validate.errors ?? []);
    }
  };
}

function compile(schema: JsonObject): ValidateFunction[] {
  if (isDeeperThan(schema, SCHEMA_DEPTH))
    throw new TypeError(`it is nested deeper than ${SCHEMA_DEPTH} levels`);
  if (JSON.stringify(schema).length > SCHEMA_LENGTH) throw new TypeError('it is larger than 64 KiB');
  const dialect = dialectOf(schema);
  metaOf(dialect).validateSchema(schema, true);
  const closed = closeSchema(schema);
  // One instance for each schema: two tools may use the same $id for different schemas.
  const validators = [compilerOf(dialect).compile(closed.schema)];
  if (!closed.monotone) validators.push(compilerOf(dialect).compile(schema));
  return validators;
}

const dialects = {
  'draft-07': 'json-schema.org/draft-07/schema',
  '2019-09': 'json-schema.org/draft/2019-09/schema',
  '2020-12': 'json-schema.org/draft/2020-12/schema',
} as const;
type Dialect = keyof typeof dialects;

function dialectOf(schema: JsonObject): Dialect {
  const declared = schema['$schema'] ?? `https://${dialects['2020-12']}`;
  const address = typeof declared === 'string' ? declared.replace(/^https?:\/\//, '').replace(/#$/, '') : '';
  if (address === dialects['2020-12']) return '2020-12';
  if (address === dialects['2019-09']) return '2019-09';
  if (address === dialects['draft-07']) return 'draft-07';
  throw new TypeError('its $schema is not draft-07, 2019-09 or 2020-12');
}

const options: Options = {
  strict: false,
  allErrors: false,
  ownProperties: true,
  validateFormats: true,
  coerceTypes: false,
  useDefaults: false,
  removeAdditional: false,
  $data: false,
  logger: false,
  code: { regExp: Object.assign(compilePattern, { code: 'compilePattern' }) },
};

const metas = new Map<Dialect, Ajv>();

/** The meta-schema is compiled once per dialect: that takes longer than compiling most tools' schemas. */
function metaOf(dialect: Dialect): Ajv {
  const known = metas.get(dialect);
  if (known !== undefined) return known;
  const meta = equip(create(dialect, options));
  metas.set(dialect, meta);
  return meta;
}

function compilerOf(dialect: Dialect): Ajv {
  return equip(create(dialect, { ...options, meta: false, validateSchema: false }));
}

function create(dialect: Dialect, chosen: Options): Ajv {
  switch (dialect) {
    case '2020-12':
      return new Ajv2020(chosen);
    case '2019-09':
      return new Ajv2019(chosen);
    case 'draft-07': {
      // Draft-07 does not know `unevaluatedProperties`, which closing needs.
      const ajv = new Ajv({ ...chosen, unevaluated: true });
      const keyword = new Ajv2019({ ...chosen, meta: false }).getKeyword('unevaluatedProperties');
      if (typeof keyword === 'object') ajv.addKeyword(keyword);
      return ajv;
    }
    default:
      return dialect satisfies never;
  }
}

function equip(ajv: Ajv): Ajv {
  formats.default(ajv);
  // ajv compares each item with every other one, and arguments of half a megabyte may have many items.
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    error: { message: 'must not contain the same item twice' },
    validate: (wanted: boolean, list: unknown[]) => !wanted || hasUniqueItems(list),
  });
  return ajv;
}

function hasUniqueItems(list: unknown[]): boolean {
  return new Set(list.map((item) => canonicalJson(item))).size === list.length;
}

/** The last error is the outermost: of an `anyOf`, the one about the whole instead of one alternative. */
function refusalOf(errors: ErrorObject[]): Fault {
  const error = errors.at(-1);
  if (error === undefined) return new Fault('arguments_invalid');
  const pointer = `/arguments${error.instancePath}${memberOf(error)}`;
  return new Fault('arguments_invalid', {
    detail: `The arguments do not match the schema of the tool: ${wordsOf(error)}.`,
    pointer: pointer.length <= POINTER_LENGTH ? pointer : '/arguments',
  });
}

/** The pointer to a missing or an unknown member names the member itself, not the object around it. */
function memberOf({ params }: ErrorObject): string {
  const name: unknown =
    params['missingProperty'] ?? params['additionalProperty'] ?? params['unevaluatedProperty'];
  return typeof name === 'string' ? pointerOf([name]) : '';
}

/** Describes an error by the schema, which the agent may read at /v1/tools, and never by the value. */
function wordsOf({ keyword, message }: ErrorObject): string {
  switch (keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return 'the tool has no such argument';
    case 'required':
      return 'an argument is missing';
    case 'enum':
    case 'const':
      return 'must be one of the values the schema allows';
    case 'propertyNames':
      return 'a member has a name the schema does not allow';
    default:
      return (message ?? 'must match the schema').slice(0, MESSAGE_LENGTH);
  }
}

function isDeeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => isDeeperThan(inner, depth - 1));
}
