export type { ReadTool } from './destinations.ts';
export { createFactReader, type FactReader } from './read.ts';
