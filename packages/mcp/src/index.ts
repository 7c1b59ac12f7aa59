export type { ToolAnswer } from './answer.ts';
export type { McpCall, McpConnection, McpDefinitions, McpOptions } from './client.ts';
export { connectMcp } from './connect.ts';
export { type DiscoveredTool, definitionDigestOf, type McpDefinition } from './definition.ts';
export { type Discovering, discoverTools } from './discover.ts';
export { type McpRequest, mcpFetch, REDIRECTS_MAX, refuseFetch, SessionLost } from './fetch.ts';
