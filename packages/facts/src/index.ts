export { createFactReader, type FactReader, type ReadTool } from './read.ts';
