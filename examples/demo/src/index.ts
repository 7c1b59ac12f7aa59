export { demoCommand } from './command.ts';
export type { Installation, InstallationOptions, Machine, ServerOptions } from './machine.ts';
