/** The demo from its first step to its last. */
import {
  allowedRead,
  allowedWrite,
  apiRefuses,
  echoedCredential,
  policyRefusal,
  rateLimit,
  schemaRefusal,
} from './calls.ts';
import { Broken } from './expect.ts';
import { freshCall, heldCall, killSwitch, replayedCall } from './people.ts';
import { agentsView, auditTrail, trace, verification } from './records.ts';
import type { Stage } from './stage.ts';
import { type Run, step } from './steps.ts';

/** Plays every step. Throws `step_failed` at the first that does not hold. */
export async function tellStory(stage: Stage, run: Run): Promise<void> {
  const approved = freshCall();
  await step(run, 'The API refuses whoever has no credential', () => apiRefuses(stage, run));
  await step(run, 'An allowed read', () => allowedRead(stage, run));
  await step(run, 'An allowed write, with a credential the agent never sees', () => allowedWrite(stage, run));
  await step(run, 'The API hands its credential back', () => echoedCredential(stage, run));
  await step(run, 'Arguments that do not fit the tool', () => schemaRefusal(stage, run));
  await step(run, 'A payment that policy denies', () => policyRefusal(stage, run));
  await step(run, 'A payment that a second person must approve', () => heldCall(stage, run, approved));
  await step(run, 'The same call again, under its idempotency key', () => replayedCall(stage, run, approved));
  await step(run, 'Too many calls at once', () => rateLimit(stage, run));
  await step(run, 'The kill switch', () => killSwitch(stage, run));
  await step(run, 'What the agent saw of the credential', () => agentsView(stage, run));
  await step(run, 'The audit trail of the approved call', () => auditTrail(stage, run, approved.call));
  await step(run, 'Is the audit trail whole?', () => verification(stage, run));
  await step(run, 'The trace of the first payment', () => trace(stage, run, firstPayment(run)));
}

function firstPayment({ played }: Run): string {
  const call = played.find(({ tool, outcome }) => tool === 'pay' && outcome === 'succeeded')?.call;
  if (call === undefined) throw new Broken('There was no payment.');
  return call;
}
