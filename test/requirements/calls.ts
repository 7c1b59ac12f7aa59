import type { Requirement } from './requirement.ts';

/** A call and its events. */
export const callRequirements = {
  'P-line-one-successor': {
    text: 'Each event has one successor and each step one owner: a second successor of an event is not stored.',
    source: 'architecture: the line',
    layer: 'unit',
  },
  'P-line-no-way-round': {
    text: 'An approved call passes policy, limits and kill switch again: a stricter policy, a spent budget or the switch still stops it.',
    source: 'architecture: the line',
    layer: 'line',
  },
  'P-line-refusal-is-an-event': {
    text: 'A refusal is an event that says code, public reason, rule, and what the caller can do next.',
    source: 'architecture: the line',
    layer: 'line',
  },
  'P-line-poison': {
    text: 'An event that its owner cannot handle is refused at the fifth delivery, and does not block the calls behind it.',
    source: 'architecture: the line',
    layer: 'unit',
  },
  'P-line-vanishes': {
    text: 'The line may vanish at any moment: calls recover, and nothing that was acknowledged is lost.',
    source: 'architecture: the line',
    layer: 'fault',
  },
  'P-ledger-claim-first': {
    text: 'A call has no effect before its `started` is on disk.',
    source: 'architecture: the ledger',
    layer: 'fault',
  },
  'P-ledger-claim-once': {
    text: 'A call gets `started` or `refused`, never both and never twice, however many race.',
    source: 'architecture: the ledger',
    layer: 'unit',
  },
  'P-ledger-read-back': {
    text: 'After a lost acknowledgement of a claim its owner recognises it by its nonce, and takes no other for its own.',
    source: 'architecture: the ledger',
    layer: 'fault',
  },
  'P-ledger-missing': {
    text: 'A missing ledger is never made again while services run: nothing is claimed and executors are not ready. Above 80 % full nothing new starts.',
    source: 'architecture: the ledger',
    layer: 'unit',
  },
  'P-effect-at-most-once': {
    text: 'A call has at most one effect, whatever process crashes whenever.',
    source: 'architecture: the ledger',
    layer: 'fault',
  },
  'P-orphans-settle': {
    text: 'A claim that is not settled within its limit settles as unknown, or is claimed again where the tool is idempotent, with the same idempotency key.',
    source: 'services/executor/README.md',
    layer: 'unit',
  },
  'P-second-attempt-doubt': {
    text: 'A call that was claimed again and did not succeed is unknown and never failed, because an earlier attempt may have had the effect.',
    source: 'services/executor/README.md',
    layer: 'unit',
  },
  'P-claim-monotonic': {
    text: 'The limit of a claim runs on the monotonic clock and is checked again before the first byte leaves.',
    source: 'services/executor/README.md',
    layer: 'fault',
  },
  'P-outcome-never-lost': {
    text: 'Every outcome that an agent received is in the audit, with its arguments.',
    source: 'architecture: the ledger',
    layer: 'fault',
  },
  'P-result-as-said': {
    text: 'A result is returned as the API or MCP server wrote it. What JSON cannot hand on unchanged (long numbers, two members of one name, deep nesting) is returned as the text.',
    source: 'services/ingress/README.md',
    layer: 'line',
  },
  'P-answer-claims-no-more': {
    text: 'An answer claims no more than is known: 503 only when nothing was done and nothing can be done any more, else 504.',
    source: 'architecture: the ledger',
    layer: 'unit',
  },
  'P-answers-advise': {
    text: 'Every answer to an agent but a plain success says what happened, whether it may have happened, whether and when repeating helps, and what else to do.',
    source: 'services/ingress/README.md',
    layer: 'unit',
  },
  'P-answer-stays-true': {
    text: 'What an answer named can be asked for until its outcome is stored: a call in doubt is settled at its deadline, and its own agent finds it, whoever refused it.',
    source: 'services/ingress/README.md',
    layer: 'unit',
  },
  'P-answer-from-the-ledger': {
    text: 'An agent is answered only from the stored outcome.',
    source: 'architecture: the ledger',
    layer: 'unit',
  },
  'P-result-digest': {
    text: 'The body of a result is returned only if it has the digest that was settled.',
    source: 'services/ingress/README.md',
    layer: 'unit',
  },
  'P-idempotency-key': {
    text: 'The same Idempotency-Key of an agent names the same call: one effect, across all faults; past its window it is refused.',
    source: 'draft-ietf-httpapi-idempotency-key-header',
    layer: 'fault',
  },
  'P-call-cancelled': {
    text: 'A call whose agent closes the connection before the call starts does not start, unless it has an Idempotency-Key.',
    source: 'services/ingress/README.md',
    layer: 'line',
  },
  'P-step-drain': {
    text: 'A process that stops finishes what it began and gives back what has not started.',
    source: 'packages/bus/README.md',
    layer: 'unit',
  },
  'P-events-cloudevents': {
    text: 'Every event is a CloudEvent 1.0 in the NATS binary binding, with a traceparent.',
    source: 'CloudEvents 1.0, NATS protocol binding',
    layer: 'line',
  },
} as const satisfies Record<`P-${string}`, Requirement>;
