import { describe, expect, test } from 'vitest';
import { agentFileSchema, toolFileSchemaFor } from './configuration.ts';

const httpTool = {
  name: 'read-note',
  description: 'Reads a note.',
  inputSchema: { type: 'object' },
  http: { method: 'GET', url: 'https://notes.example/notes/{id}', egress: { allow: ['notes.example'] } },
};

describe('configuration files', () => {
  test('a member that the schema does not name is refused', () => {
    expect(toolFileSchemaFor(httpTool).safeParse({ ...httpTool, url: 'x' }).success).toBe(false);
    expect(toolFileSchemaFor(httpTool).safeParse(httpTool).success).toBe(true);
  });

  test('an agent file cannot contain keys or a session', () => {
    const agent = { agent: 'a', tenant: 't', user: 'u' };
    expect(agentFileSchema.safeParse({ ...agent, keys: [] }).success).toBe(false);
    expect(agentFileSchema.safeParse({ ...agent, session: 's' }).success).toBe(false);
    expect(agentFileSchema.safeParse(agent).success).toBe(true);
  });

  test('a mistake in an MCP server is reported against the schema of MCP servers', () => {
    const parsed = toolFileSchemaFor({ mcp: {} }).safeParse({ mcp: { server: 'files' } });
    expect(parsed.error?.issues.map((issue) => issue.path.join('.'))).toContain('mcp.connection');
  });
});
