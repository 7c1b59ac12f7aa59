/** Steps about what is left of the calls: on the agent's wire, in the audit trail, in the trace. */
import { instant, treesOf } from '@interlock/cli';
import { type AuditRecord, callTracesSchema, rpcSchemas } from '@interlock/contracts';
import { SMALL } from './calls.ts';
import { holds, same } from './expect.ts';
import { MEDIUM } from './people.ts';
import { poll } from './poll.ts';
import type { Stage } from './stage.ts';
import type { Run } from './steps.ts';
import { whoDecided } from './tally.ts';

/** The auditor follows within milliseconds; spans are handed over every second, by each service for itself. */
const FOLLOW_MS = 20_000;
/** What the trail of a call that a person approved holds: its approval and its effect, from two streams. */
const APPROVED = ['answered', 'resolved', 'started', 'settled'];
/** Who has a part in every call that is carried out. */
const ON_THE_LINE = ['ingress', 'decider', 'limiter', 'executor', 'broker'].map(
  (name) => `interlock-${name}`,
);

/** The credential is in no byte that went to or came from the agent, in any of its forms. */
export async function agentsView({ agent, agentKey, api, wiretap }: Stage, { screen }: Run): Promise<string> {
  const token = api.token.reveal();
  // Each part of a JSON Web Token by itself would be as bad; the head says only which kind it is.
  const [, ...parts] = token.split('.');
  const forms = [token, ...parts, encodeURIComponent(token)].flatMap((text) => [
    text,
    Buffer.from(text).toString('base64'),
    Buffer.from(text).toString('base64url'),
    Buffer.from(text).toString('hex'),
  ]);
  screen.line(
    `${wiretap.bytes} bytes in ${wiretap.connections} connections, ${agent.bodies.length} answers: every byte the agent sent or got.`,
  );
  holds(wiretap.saw(agentKey), 'The tap did not even see the agent’s own key.');
  for (const form of new Set(forms)) {
    holds(!wiretap.saw(form), 'The credential went over the agent’s wire.');
    holds(!agent.bodies.some((body) => body.includes(form)), 'The credential is in an answer to the agent.');
  }
  return 'The credential is not in there: not plain, not as base64, URL-encoded or hex, not in parts.';
}

/** The audit trail tells everything about a call, with its arguments. */
export async function auditTrail(stage: Stage, run: Run, call: string): Promise<string> {
  const records = await untilRecorded(stage, call, APPROVED);
  for (const { at, step, stream, sequence, event } of records)
    run.screen.line(`${instant(at)}  ${step.padEnd(9)}  ${stream} ${sequence}${worded(event)}`);
  const evidence = records.find(({ step }) => step === 'started')?.evidence;
  const argued: unknown = JSON.parse(evidence?.call?.arguments ?? 'null');
  run.screen.line(`arguments: ${JSON.stringify(argued)}`);
  same('The arguments in the audit trail', argued, MEDIUM);
  holds(!JSON.stringify(records).includes(stage.api.token.reveal()), 'The audit trail holds the credential.');
  run.screen.line(`decided by: ${whoDecided(records)}`);
  for (const played of run.played)
    if (played.call !== undefined) played.decidedBy ??= whoDecided(await untilRecorded(stage, played.call));
  const unknown = run.played.filter(({ decidedBy }) => decidedBy === undefined);
  same('Calls of which the audit trail does not tell who decided', unknown, []);
  return 'Who asked, what exactly, who decided, and what came of it: written down before it was done.';
}

/** The audit trail is whole. */
export async function verification({ alice }: Stage, { screen }: Run): Promise<string> {
  const reply = rpcSchemas['auditor.verify'].reply;
  const found = await alice.request({ method: 'POST', path: '/v1/audit/verify', body: {}, reply });
  const { LEDGER, APPROVALS, CONTROL } = found.checked;
  screen.line(
    `${LEDGER} records of calls, ${APPROVALS} of approvals, ${CONTROL} of acts, ${found.anchors} checkpoints`,
  );
  same('Problems found', found.problems, []);
  holds(found.intact, 'The audit trail is not intact.');
  holds(LEDGER > 0 && APPROVALS > 0 && CONTROL > 0, 'There was nothing to check.');
  return 'Intact: nothing was edited, dropped, reordered or cut off.';
}

/** One call is one trace. */
export async function trace({ alice, signal }: Stage, { screen }: Run, call: string): Promise<string> {
  const what = `There is no whole trace of ${call}.`;
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
  holds(!text.includes(SMALL.payee), 'Arguments are in the trace.');
  return 'Where the time went, step by step; neither arguments nor results are in it.';
}

/** Waits for the end of a call and for steps of it: each stream is followed by itself, so that one may be ahead. */
async function untilRecorded(
  { alice, signal }: Stage,
  call: string,
  steps: readonly string[] = [],
): Promise<AuditRecord[]> {
  const path = `/v1/audit/calls/${encodeURIComponent(call)}`;
  const reply = rpcSchemas['auditor.show'].reply;
  const what = `The audit trail does not have all of ${call}: its end${steps.map((step) => `, ${step}`).join('')}.`;
  return await poll({ what, withinMs: FOLLOW_MS, signal }, async () => {
    const { records } = await alice.request({ method: 'GET', path, reply });
    const recorded = new Set(records.map(({ step }) => step));
    const ended = recorded.has('settled') || recorded.has('refused');
    return ended && steps.every((step) => recorded.has(step)) ? records : undefined;
  });
}

/** What an event says beyond that it happened. */
function worded({ outcome, code, upstreamStatus }: AuditRecord['event']): string {
  const words = [outcome, code, upstreamStatus].filter((word) => word !== undefined);
  return words.length === 0 ? '' : `  ${words.join(', ')}`;
}
