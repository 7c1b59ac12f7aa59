export type { McpAnswer, McpCall, McpConnection, McpDefinitions, McpOptions } from './client.ts';
export { connectMcp } from './connect.ts';
export { type DiscoveredTool, definitionDigestOf } from './definition.ts';
export { type Discovering, discoverTools } from './discover.ts';
export { type McpRequest, mcpFetch, refuseFetch } from './fetch.ts';
