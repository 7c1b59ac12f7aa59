export { verifyDecision } from './decision.ts';
export { type Refusing, refusedEvent } from './refusal.ts';
