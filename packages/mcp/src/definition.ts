/**
 * Tools as upstream MCP servers describe them.
 *
 * D1. A description is read part by part. A part of another shape than the protocol's is left out, and so are members of a
 *     schema that are null: only what has no name at all is no tool.
 */
import { digestOf, type Tool } from '@interlock/contracts';
import { z } from 'zod';

/** A tool as an upstream MCP server describes it. */
export interface McpDefinition {
  name: string;
  title?: string | undefined;
  description?: string | undefined;
  inputSchema: Record<string, unknown>;
  outputSchema?: Record<string, unknown> | undefined;
  annotations?: Record<string, unknown> | undefined;
}

/** What a tool takes over from a definition. */
export interface DiscoveredTool extends Pick<Tool, 'name' | 'title' | 'description' | 'inputSchema'> {
  definitionDigest: string;
}

/** What fits into a tool; the digest covers the whole all the same. */
const NAME_LENGTH = 128;
const TITLE_LENGTH = 256;
const DESCRIPTION_LENGTH = 16_384;
const CUT = ' [cut]';
/** Below these a null is a value. */
const VALUES: ReadonlySet<string> = new Set(['const', 'default', 'enum', 'examples', 'example']);

const recordSchema = z.record(z.string(), z.unknown());
/** D1 */
const definitionSchema = z.object({
  name: z.string().min(1),
  title: z.string().optional().catch(undefined),
  description: z.string().optional().catch(undefined),
  inputSchema: recordSchema.catch({}),
  outputSchema: recordSchema.optional().catch(undefined),
  annotations: recordSchema.optional().catch(undefined),
});

/** Returns the definition in what a server lists; undefined for what has no name. */
export function definitionOf(listed: unknown): McpDefinition | undefined {
  const { data } = definitionSchema.safeParse(listed);
  if (data === undefined) return undefined;
  const { inputSchema, outputSchema, annotations, ...words } = data;
  return {
    ...words,
    inputSchema: { type: 'object', ...schemaWithoutNulls(inputSchema) },
    ...(outputSchema === undefined ? {} : { outputSchema: schemaWithoutNulls(outputSchema) }),
    ...(annotations === undefined ? {} : { annotations: schemaWithoutNulls(annotations) }),
  };
}

function schemaWithoutNulls(schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const members = Object.entries(schema).filter(([name, value]) => value !== null || VALUES.has(name));
  return Object.fromEntries(
    members.map(([name, value]) => [name, VALUES.has(name) ? value : valueWithoutNulls(value)]),
  );
}

function valueWithoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(valueWithoutNulls);
  const { data } = recordSchema.safeParse(value);
  return data === undefined ? value : schemaWithoutNulls(data);
}

/**
 * Returns the digest that pins a definition: everything a model or a policy author read when the tool was applied
 * (name, title, description, both schemas, annotations), as canonical JSON (RFC 8785). Icons and `_meta` are not
 * part of it: they do not change what the tool does.
 */
export function definitionDigestOf(definition: McpDefinition): string {
  const { name, title, description, inputSchema, outputSchema, annotations } = definition;
  const parts = { name, title, description, inputSchema, outputSchema, annotations };
  return digestOf(Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)));
}

/** Returns what a tool takes over from a definition, or undefined when its name cannot be used. */
export function discoveredOf(definition: McpDefinition): DiscoveredTool | undefined {
  const { name, title, description = '', inputSchema } = definition;
  if (name.length > NAME_LENGTH) return undefined;
  return {
    name,
    ...(title === undefined ? {} : { title: cut(title, TITLE_LENGTH) }),
    description: cut(description, DESCRIPTION_LENGTH),
    inputSchema: JSON.parse(JSON.stringify(inputSchema)),
    definitionDigest: definitionDigestOf(definition),
  };
}

/** A text that is too long says that it is. */
function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - CUT.length)}${CUT}`;
}
