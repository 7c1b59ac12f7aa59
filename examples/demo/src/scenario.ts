/** The steps of the demo, in order. */
import {
  allowedRead,
  allowedWrite,
  apiRefuses,
  echoedCredential,
  policyRefusal,
  rateLimit,
  schemaRefusal,
} from './calls.ts';
import { Unexpected } from './expect.ts';
import { freshCall, heldCall, killSwitch, replayedCall } from './people.ts';
import { agentsView, auditTrail, trace, verification } from './records.ts';
import type { Setup } from './setup.ts';
import { type Run, step } from './steps.ts';

/** Plays every step. Throws `step_failed` at the first that fails. */
export async function playSteps(setup: Setup, run: Run): Promise<void> {
  const approved = freshCall();
  await step(run, 'The API refuses a request without a credential', () => apiRefuses(setup, run));
  await step(run, 'An allowed read', () => allowedRead(setup, run));
  await step(run, 'An allowed write, with a credential the agent never sees', () => allowedWrite(setup, run));
  await step(run, 'The API returns its credential in an answer', () => echoedCredential(setup, run));
  await step(run, 'Arguments that do not match the schema', () => schemaRefusal(setup, run));
  await step(run, 'A payment that policy denies', () => policyRefusal(setup, run));
  await step(run, 'A payment that a second person must approve', () => heldCall(setup, run, approved));
  await step(run, 'The same call again, under its idempotency key', () => replayedCall(setup, run, approved));
  await step(run, 'Too many calls at once', () => rateLimit(setup, run));
  await step(run, 'The kill switch', () => killSwitch(setup, run));
  await step(run, 'The agent never received the credential', () => agentsView(setup, run));
  await step(run, 'The audit trail of the approved call', () => auditTrail(setup, run, approved.call));
  await step(run, 'Is the audit trail intact?', () => verification(setup, run));
  await step(run, 'The trace of the first payment', () => trace(setup, run, firstPayment(run)));
}

function firstPayment({ summary }: Run): string {
  const call = summary.find(({ tool, outcome }) => tool === 'pay' && outcome === 'succeeded')?.call;
  if (call === undefined) throw new Unexpected('No payment was made.');
  return call;
}
