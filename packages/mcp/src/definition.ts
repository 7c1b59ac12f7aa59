import { digestOf, type Tool } from '@interlock/contracts';

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
const DESCRIPTION_LENGTH = 4_096;

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
    ...(title === undefined ? {} : { title: title.slice(0, TITLE_LENGTH) }),
    description: description.slice(0, DESCRIPTION_LENGTH),
    inputSchema: JSON.parse(JSON.stringify(inputSchema)),
    definitionDigest: definitionDigestOf(definition),
  };
}
