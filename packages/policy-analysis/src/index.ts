export { type AuditedCall, auditedCallOf, type Ending } from './audited-call.ts';
export { type Changes, comparePolicies, type PolicyComparison } from './comparison.ts';
export type { Counterfactual } from './counterfactuals.ts';
export { collectDisagreements, type DisagreementGroup, type DisagreementReport } from './disagreements.ts';
export {
  type DecidingPolicy,
  type ExplainedCall,
  type ExplainedDecision,
  explainCall,
} from './explained-call.ts';
export {
  type ExplainablePolicy,
  type Explanation,
  explain,
  explainablePolicy,
  type RecordedDecision,
} from './explanation.ts';
export { type Finding, meantText } from './folder/finding.ts';
export { checkFolder, type FolderContents } from './folder/folder-check.ts';
export { type KnownSchemas, toolsOf } from './folder/folder-names.ts';
export type { RegoFile } from './folder/rego-check.ts';
export type { DataFile } from './folder/settings-check.ts';
export type { ToolFileFound } from './folder/tool-check.ts';
export {
  createGrantCheck,
  createSelection,
  type Selection,
  type Suggestion,
  withGrants,
} from './grant-suggestion.ts';
export { grantsFor } from './grants.ts';
export { type ImaginedCall, imaginedCall } from './imagined-call.ts';
export {
  createCallCompleter,
  type KnownConfiguration,
  type KnownTool,
  NOTHING_KNOWN,
} from './known-calls.ts';
export { ruleFiles } from './new-rule.ts';
export { opaProgram } from './opa.ts';
export type { Agreement, Outcome } from './outcomes.ts';
export { BASE_POLICIES, displayPath, ownFolder, policyFolders, rulesOf } from './policy-folders.ts';
export type { ReplayTotals } from './recorded-input.ts';
export { type LintFinding, lintRules } from './regal.ts';
export { type Fact, outputKinds } from './rule-facts.ts';
export { type ChangeGroup, createSimulation, type NamedCall, type SimulationReport } from './simulation.ts';
export { type PolicyReport, testPolicies } from './testing.ts';
