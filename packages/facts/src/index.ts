export { createFactReader, type FactReader } from './read.ts';
