export { type CallStory, type Ending, storyOf } from './call-story.ts';
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
  type ExplainingPolicy,
  type Explanation,
  explain,
  explaining,
  type RecordedDecision,
} from './explanation.ts';
export { BASE_POLICIES, ownFolder, policyFolders, rulesOf, shown } from './folders.ts';
export { grantsFor } from './grants.ts';
export { type Fact, words } from './grounds.ts';
export { opaProgram } from './opa.ts';
export type { ReplayTotals } from './recorded.ts';
export { ruleFiles } from './scaffold.ts';
export {
  type ChangeGroup,
  createSimulation,
  type NamedCall,
  type SimulationOptions,
  type SimulationReport,
} from './simulation.ts';
export { createCheck, createWanted, type Suggestion, type Wish, withGrants } from './suggestion.ts';
export { type PolicyReport, testPolicies } from './testing.ts';
export type { Agreement, Judge, Outcome } from './verdicts.ts';
