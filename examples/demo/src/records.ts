/** Steps about what the calls left: on the agent's wire, in the audit trail, in the trace. */
import { instant, treesOf } from '@interlock/cli';
import {
  type AuditRecord,
  auditVerificationSchema,
  callTracesSchema,
  rpcSchemas,
} from '@interlock/contracts';
import { SMALL } from './calls.ts';
import { check, expectEqual } from './expect.ts';
import { MEDIUM } from './people.ts';
import { poll } from './poll.ts';
import type { Setup } from './setup.ts';
import type { Run } from './steps.ts';
import { whoDecided } from './summary.ts';

/** The auditor follows within milliseconds; each service exports its spans every second. */
const FOLLOW_MS = 20_000;
/** The steps recorded of a call that a person approved: its approval and its effect, from two streams. */
const APPROVED = ['answered', 'resolved', 'started', 'settled'];
/** The services of every call that is carried out. */
const ON_THE_LINE = ['ingress', 'decider', 'limiter', 'executor', 'broker'].map(
  (name) => `interlock-${name}`,
);

/** The credential is in no byte that the agent sent or received, in any of its forms. */
export async function agentsView({ agent, agentKey, api, wiretap }: Setup, { screen }: Run): Promise<string> {
  const token = api.token.reveal();
  // A part of a JSON Web Token alone would be as bad; its head says only which kind it is.
  const [, ...parts] = token.split('.');
  const forms = [token, ...parts, encodeURIComponent(token)].flatMap((text) => [
    text,
    Buffer.from(text).toString('base64'),
    Buffer.from(text).toString('base64url'),
    Buffer.from(text).toString('hex'),
  ]);
  screen.line(
    `${wiretap.bytes} bytes in ${wiretap.connections} connections, ${agent.bodies.length} answers: every byte that the agent sent or received.`,
  );
  check(wiretap.recorded(agentKey), 'The tap did not record the agent’s own key, so it proves nothing.');
  for (const form of new Set(forms)) {
    check(!wiretap.recorded(form), 'The credential was in the agent’s traffic.');
    check(!agent.bodies.some((body) => body.includes(form)), 'The credential is in an answer to the agent.');
  }
  return 'The credential is not in them: not plain, not as base64, URL-encoded or hex, and not in parts.';
}

/** The audit trail has everything about a call, with its arguments. */
export async function auditTrail(setup: Setup, run: Run, call: string): Promise<string> {
  const records = await untilRecorded(setup, call, APPROVED);
  for (const { at, step, stream, sequence, event } of records)
    run.screen.line(`${instant(at)}  ${step.padEnd(9)}  ${stream} ${sequence}${wordsOf(event)}`);
  const evidence = records.find(({ step }) => step === 'started')?.evidence;
  const argued: unknown = JSON.parse(evidence?.call?.arguments ?? 'null');
  run.screen.line(`arguments: ${JSON.stringify(argued)}`);
  expectEqual('The arguments in the audit trail', argued, MEDIUM);
  check(!JSON.stringify(records).includes(setup.api.token.reveal()), 'The audit trail holds the credential.');
  run.screen.line(`decided by: ${whoDecided(records)}`);
  for (const row of run.summary)
    if (row.call !== undefined) row.decidedBy ??= whoDecided(await untilRecorded(setup, row.call));
  const unknown = run.summary.filter(({ decidedBy }) => decidedBy === undefined);
  expectEqual('Calls of which the audit trail does not say who decided', unknown, []);
  return 'Who called, with which arguments, who decided, and the outcome; the claim was recorded before the effect.';
}

/** The audit trail is intact. */
export async function verification({ alice }: Setup, { screen }: Run): Promise<string> {
  const reply = auditVerificationSchema;
  const found = await alice.request({ method: 'POST', path: '/v1/audit/verify', body: {}, reply });
  const { LEDGER, APPROVALS, CONTROL } = found.checked;
  screen.line(
    `${LEDGER} records of calls, ${APPROVALS} of approvals, ${CONTROL} of management operations, ${found.anchors} checkpoints`,
  );
  expectEqual('Problems found', found.problems, []);
  check(found.intact, 'The audit trail is not intact.');
  check(LEDGER > 0 && APPROVALS > 0 && CONTROL > 0, 'A part of the audit trail is empty.');
  return 'Intact: no record was edited, dropped, reordered or cut off.';
}

/** One call is one trace. */
export async function trace({ alice, signal }: Setup, { screen }: Run, call: string): Promise<string> {
  const what = `The trace of ${call} is not complete.`;
  const path = `/v1/traces/${call}`;
  const traces = await poll({ what, withinMs: FOLLOW_MS, signal }, async () => {
    const found = await alice
      .request({ method: 'GET', path, reply: callTracesSchema })
      .catch(() => undefined);
    const seen = new Set(found?.traces.flatMap(({ spans }) => spans.map(({ service }) => service)));
    return ON_THE_LINE.every((service) => seen.has(service)) ? found : undefined;
  });
  screen.line(treesOf(traces));
  const text = JSON.stringify(traces);
  check(!text.includes(SMALL.payee), 'Arguments are in the trace.');
  return 'Where the time went, step by step. The trace holds neither arguments nor results.';
}

/** Waits for the end of a call and for steps of it: the auditor reads each stream on its own, so one may be ahead. */
async function untilRecorded(
  { alice, signal }: Setup,
  call: string,
  steps: readonly string[] = [],
): Promise<AuditRecord[]> {
  const path = `/v1/audit/calls/${encodeURIComponent(call)}`;
  const reply = rpcSchemas['auditor.show'].reply;
  const what = `The audit trail lacks some of ${call}: its end${steps.map((step) => `, ${step}`).join('')}.`;
  return await poll({ what, withinMs: FOLLOW_MS, signal }, async () => {
    const { records } = await alice.request({ method: 'GET', path, reply });
    const recorded = new Set(records.map(({ step }) => step));
    const ended = recorded.has('settled') || recorded.has('refused');
    return ended && steps.every((step) => recorded.has(step)) ? records : undefined;
  });
}

/** Returns what an event says about the outcome. */
function wordsOf({ outcome, code, upstreamStatus }: AuditRecord['event']): string {
  const words = [outcome, code, upstreamStatus].filter((word) => word !== undefined);
  return words.length === 0 ? '' : `  ${words.join(', ')}`;
}
