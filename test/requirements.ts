/**
 * What Interlock promises, as data. A test that holds a promise cites its id in its title, as `[P-…]`. `npm run tidy`
 * fails for a promise that no test of its layer cites, and for a test that cites what is not promised here.
 */
import { callRequirements } from './requirements/calls.ts';
import { operationRequirements } from './requirements/operation.ts';
import { policyRequirements } from './requirements/policy.ts';
import type { Requirement } from './requirements/requirement.ts';
import { serviceRequirements } from './requirements/services.ts';
import { trustRequirements } from './requirements/trust.ts';

export const requirements: Readonly<Record<`P-${string}`, Requirement>> = {
  ...callRequirements,
  ...policyRequirements,
  ...trustRequirements,
  ...serviceRequirements,
  ...operationRequirements,
};
