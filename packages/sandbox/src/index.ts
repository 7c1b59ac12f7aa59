export { type CommandList, commandListOf, isListed, readCommandList, sameCommand } from './command-list.ts';
export { type LocalServer, LocalServers, type LocalServersOptions } from './local-servers.ts';
export { isInside, problemOfMounts } from './mounts.ts';
export { findSandbox, type Sandbox } from './sandbox.ts';
