export { type BundleOptions, buildBundle, DATA_FILES } from './build.ts';
export {
  BUNDLE_MAX_BYTES,
  type LoadedPolicy,
  openBundle,
  policyWith,
  signBundle,
  verifyBundle,
} from './bundle.ts';
export { ignoredFiles } from './case-files.ts';
export {
  type AnswerPart,
  type CaseResult,
  type ExpectedAnswer,
  type PolicyCase,
  parseCases,
  readCases,
  runCases,
} from './cases.ts';
export { type DescribeOptions, describeRules, type RuleDescription, rulesPage } from './docs.ts';
export { exists, namesIn } from './files.ts';
export { FUNCTIONS } from './functions.ts';
export { localTimes } from './local-times.ts';
export { inputAbout, type Mapping, mappingSchema, merged } from './plain-call.ts';
export { DECISION_STEPS_MAX, INPUT_MAX_BYTES, MEMORY_MAX_BYTES, Policy } from './rego.ts';
export { type BundleSources, bundleSources } from './sources.ts';
