export { readArguments } from './arguments.ts';
export {
  assertDigests,
  assertInTime,
  assertObligations,
  assertSameCall,
  type DecidedCall,
  verifyDecision,
} from './decision.ts';
export { type EntrySource, openSource, readEntry } from './entry.ts';
export { boundedEvidence } from './evidence.ts';
export { blockedBy } from './kill-switch.ts';
export { type Refusing, refusedEvent, UNKNOWN_NAME } from './refusal.ts';
export { assertVersion, readTool, versionOf } from './tool.ts';
