/**
 * What Interlock promises, as data. A test that holds a promise cites its id in its title, as `[P-…]`;
 * test/tidy.test.ts fails for a promise without a test and for a test that cites what is not promised here.
 */
export const requirements = {
  // A call and its events.
  'P-line-one-successor':
    'Each event has one successor and each step one owner: a second successor of an event is not stored.',
  'P-line-no-way-round':
    'An approved call passes policy, limits and kill switch again: a stricter policy, a spent budget or the switch still stops it.',
  'P-line-refusal-is-an-event':
    'A refusal is an event that says code, public reason, rule, and what the caller can do next.',
  'P-line-poison':
    'An event that its owner cannot handle is refused at the fifth delivery, and does not block the calls behind it.',
  'P-ledger-claim-first': 'A call has no effect before its `started` is on disk.',
  'P-ledger-claim-once':
    'A call gets `started` or `refused`, never both and never twice, however many ask at once.',
  'P-ledger-read-back':
    'After a lost acknowledgement of a claim its owner knows it by its nonce, and no other’s.',
  'P-effect-at-most-once': 'A call has at most one effect, whatever process crashes whenever.',
  'P-orphans-settle':
    'A claim that is not settled within its limit settles as unknown, or is claimed again where the tool is idempotent, with the same idempotency key.',
  'P-claim-monotonic':
    'A claim’s limit runs on the monotonic clock and is checked again before the first byte leaves.',
  'P-outcome-never-lost': 'Every outcome an agent was told is in the audit, with its arguments.',
  'P-answer-claims-no-more':
    'An answer claims no more than is known: 503 only when nothing was done and nothing can be done any more, else 504.',
  'P-answer-from-the-ledger': 'An agent is answered only from the stored outcome.',
  'P-result-digest': 'A result’s body is handed out only if it has the digest that was settled.',
  'P-idempotency-key':
    'The same Idempotency-Key of an agent names the same call: one effect, across all faults; past its window it is refused.',
  'P-line-vanishes': 'The line may vanish at any moment: calls recover, and nothing acknowledged is lost.',
  'P-ledger-missing': 'A missing ledger is never made again: not ready. Above 80 % full nothing new starts.',

  // Unsure means no.
  'P-unsure-means-no':
    'No policy, a policy error, an undefined decision, a lost store, an expired approval or a changed argument: refused.',
  'P-default-deny': 'What no rule allows is denied.',
  'P-policy-agrees': 'The compiled policy answers every call as OPA itself answers it.',
  'P-policy-bounded':
    'A policy that loops, traps, wants more memory than there is or gives no whole answer denies that call and no other.',
  'P-policy-signed': 'A policy bundle that does not carry the operator’s chain of signatures is not loaded.',
  'P-policy-refused':
    'A tampered, unsigned, older or canary-failing bundle is refused by the decider itself: the policy before it decides on, and the audit and /readyz say so.',
  'P-policy-newest':
    'Only the newest policy decides: an older one cannot be put in its place, and where the newest cannot be read or verified every call is refused.',
  'P-policy-reload':
    'Publishing and rolling back under traffic loses no call and decides none twice, each by a policy that was in force.',
  'P-policy-publish':
    'Policies are published, compared and rolled back from the command line, which ends when every decider took them; a rollback is a new version of old content.',
  'P-policy-shadow':
    'A candidate decides beside the policy without effect, and only where it disagrees is that recorded.',
  'P-presence-not-absence': 'Things are verified by presence, never by absence.',

  // Secrets and the two doors.
  'P-secret-nowhere':
    'A secret never enters an event, a log, a span, an error, an audit record or a response.',
  'P-secret-redacted':
    'A credential that an upstream sends back is removed from the answer: plain, base64, URL-encoded and JSON-escaped.',
  'P-agent-cannot-manage':
    'Nothing an agent can reach can change a tool, a policy, a credential, an approval, or its session’s memory.',
  'P-management-roles': 'Management is a separate door on loopback, for people with roles and hashed tokens.',
  'P-entries-signed': 'A management entry that the management door did not sign is not believed.',
  'P-config-mistake':
    'A configuration mistake stops the start with the file, the pointer and what was expected.',

  // Enforcement by the bus and by signatures.
  'P-bus-foreign-subjects':
    'A service cannot have anything stored on a subject it does not own, neither by publishing nor as a reply.',
  'P-bus-foreign-reads':
    'A service reads only the streams, buckets and consumers that the lifecycle table gives it.',
  'P-bus-from-table': 'Accounts, streams, consumers and permissions are derived from one lifecycle table.',
  'P-statements-role-bound':
    'A statement is believed only from the one service that may sign its type, under a key the operator’s root certifies.',
  'P-statements-exact-call':
    'Forged, replayed, cross-call and cross-user statements are refused by executor and broker.',
  'P-digest-canonical':
    'A call’s digest covers who, what and the canonical arguments; ill-formed Unicode has no digest.',
  'P-evidence-sealed':
    'Evidence, held calls and kept results are encrypted for those who need them; altered or moved boxes do not open.',
  'P-call-cancelled':
    'A call whose agent hangs up before it starts does not start, unless an Idempotency-Key lets it be asked for again.',
  'P-step-drain': 'A process that stops finishes what it began and gives back what has not started.',
  'P-events-cloudevents': 'Every event is a CloudEvent 1.0 in the NATS binary binding, with a traceparent.',
  'P-published-schemas':
    'Events, statements and configuration files have published JSON Schemas, and they are current.',

  // The services.
  'P-ingress-keys': 'API keys are stored hashed, expire, rotate with overlap and can be revoked.',
  'P-ingress-caps': 'An agent’s rate and calls in flight are capped before anything is published.',
  'P-ingress-arguments':
    'Arguments are checked against the tool’s closed schema, within limits on depth, size and strings.',
  'P-ingress-bad-input':
    'Bad input of any kind gets a problem document with a stable code, the pointer of the fault, and no stack.',
  'P-ingress-openapi':
    'The door describes itself: no request drawn from its description gets a 500 or an undocumented answer.',
  'P-authzen':
    'Other enforcement points ask the same policy (AuthZEN 1.0): the answer is on the ledger before it is told, and only `allow` is yes.',
  'P-policy-simulate':
    'A candidate is held against recorded calls before it decides: which verdicts change, by rule and tool, and what people judged of them.',
  'P-policy-suggest':
    'Suggested grants allow the recorded calls they are made from, and as little else as conditions can say.',
  'P-policy-explain':
    'Of a recorded call it is told what every rule of the very policy that decided it said, on which facts, and which single change leads to another verdict; each is tried, none is guessed.',
  'P-policy-tutorial':
    'The tutorial leads from a first rule with a test over recorded traffic and a shadow to publishing and back, word for word.',
  'P-identity-from-key':
    'Agent, user, tenant, session and call come from authentication and never from arguments or the body.',
  'P-identity-signed-request':
    'An HTTP tool gets who calls as headers under a signature (RFC 9421) that it can verify with an exported function.',
  'P-limits-never-forget':
    'Limits never forget in the agent’s favour: a charge is keyed by call, and an empty Redis starts with empty buckets.',
  'P-limits-headers': 'A limited call is told when to come again, in Retry-After and RateLimit headers.',
  'P-approval-exact-call':
    'An approval holds for the question’s digest: the exact call, once, until it expires.',
  'P-approval-identified-person':
    'Only an identified person with a fitting role can answer, and no agent can.',
  'P-approval-separate-duties':
    'Where duties are separated, the person an agent acts for may not answer for its calls.',
  'P-approval-durable': 'A question survives the death of every process, and a call has one question, ever.',
  'P-broker-at-rest': 'Credentials are encrypted at rest with AES-256-GCM under a key-encryption key.',
  'P-broker-lease':
    'The broker leases only after reading an unsettled claim within its limit from the leader, for the destination it derives itself, sealed to the asker.',
  'P-egress-checked-address':
    'Outbound HTTP goes only to listed hosts; every address is checked and the connection pinned to a checked one.',
  'P-egress-tls-redirects-caps':
    'TLS is always verified, redirects are followed only where the tool says so, and time and size are capped.',
  'P-http-escaping':
    'Every argument in a URL, header or query is escaped: no argument changes where a request goes.',
  'P-mcp-pinned': 'A tool of an upstream MCP server is pinned to the definition it had when it was applied.',
  'P-session-memory':
    'What a session used and what a person denied in it is durable before the call goes on, known to every replica, and lost by none.',
  'P-facts-parsed':
    'Policy sees what arguments mean as parsers read them, within limits of time and size; what they cannot read is said to be unreadable.',
  'P-emergency':
    'Break-glass needs a person, a reason and an end within four hours; it never lifts a denial, and every call under it is announced.',
  'P-obligations':
    'A cap that policy sets on a call is taken with the configured limits, all or nothing; an obligation nobody knows refuses the call.',
  'P-audit-finds-tampering':
    'Verification finds an edit, a drop, a reorder, a truncation, and a tail cut together with its last checkpoint.',
  'P-audit-stub': 'A record that cannot be stored is kept as a digest; the audit never stops at it.',

  // Killing, tracing, running.
  'P-kill-within-a-second':
    'The kill switch takes effect everywhere within a second, and stops calls in flight before they start.',
  'P-kill-survives': 'The kill switch survives restarts.',
  'P-trace-one':
    'A call is one trace, with a span for each step and hop, on every event and the outgoing request.',
  'P-trace-no-content': 'Spans carry no arguments, results or secrets.',
  'P-recovers':
    'A service recovers by itself within 10 s of a dependency coming back: NATS, Redis, MongoDB, the upstream.',
  'P-survives-sigkill':
    'SIGKILL of any service between any two steps of a call leaves one effect or none, and an outcome.',
  'P-paused-executor': 'An executor paused past its claim does nothing after a twin took over.',
  'P-auditor-catches-up': 'An auditor that was away for longer than the line remembers misses nothing.',
  'P-setup-bare-machine':
    'Set-up provisions what is missing, names what it cannot with three ways to supply it, and is quick the second time.',
  'P-demo':
    'The demo plays real calls with no account and no key, checks every step, says who decided, and leaves nothing behind.',
  'P-quickstart': 'What the README tells a newcomer to type works, word for word.',
  'P-up-supervises': 'interlock up starts everything, restarts what dies with back-off, and stops cleanly.',
  'P-apply-whole': 'A configuration is applied whole or not at all, and the second time changes nothing.',
  'P-policy-build':
    "Policies are compiled and signed on any machine with the author's key; the same rules have the same digest, and what no decider would load is not signed.",
  'P-policy-tested':
    'A test of policy tells what was expected and what came with file and line, and which lines no test reaches; a rule without a test fails.',
  'P-rules-tested': 'Each policy rule stands in its own folder with a test and says what it stops.',
  'P-readme-true': 'Every command of the README is run by a test.',
  'P-bench-whole': 'One run of the bench measures the upstream alone, the floor and the whole line.',
  'P-house-rules': 'Import rules, vendor fences and file lengths hold, and every promise has a test.',
  'P-secret-files': 'Keys on disk are readable by their user alone.',
} as const satisfies Record<`P-${string}`, string>;
