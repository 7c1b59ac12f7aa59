export { demoCommand } from './command.ts';
export type { Installation, InstallationOptions, Laptop, ServerOptions } from './laptop.ts';
