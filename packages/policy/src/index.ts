export { type BundleOptions, buildBundle } from './build.ts';
export { BUNDLE_MAX_BYTES, type HeldPolicy, openBundle } from './bundle.ts';
export { INPUT_MAX_BYTES, MEMORY_MAX_BYTES, Policy } from './rego.ts';
