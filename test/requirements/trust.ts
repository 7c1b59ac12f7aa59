import type { Requirement } from './requirement.ts';

/** Secrets, signatures, accounts, and who may do what. */
export const trustRequirements = {
  'P-token-console-only': {
    text: "The command sends a person's token or an agent's key only over a connection whose other end has proved, with the key of that service, that it is the console or ingress at that address.",
    source: 'packages/cli/README.md',
    layer: 'unit',
  },
  'P-secret-nowhere': {
    text: 'A secret never enters an event, a log, a span, an error, an audit record or a response.',
    source: 'architecture: secrets',
    layer: 'line',
  },
  'P-secret-redacted': {
    text: 'A credential that an upstream sends back is removed from the answer: plain, escaped as in JSON, URLs and HTML, in hexadecimal digits, UTF-16 and base64, cut off or whole.',
    source: 'packages/egress/README.md',
    layer: 'unit',
  },
  'P-redaction-linear': {
    text: 'Removing credentials takes a few steps for each byte of an answer, whatever it holds, and leaves other work its turn.',
    source: 'packages/egress/README.md',
    layer: 'unit',
  },
  'P-secret-files': {
    text: 'Every file of an installation that holds a secret is readable by its user alone.',
    source: 'architecture: secrets',
    layer: 'line',
  },
  'P-agent-cannot-manage': {
    text: 'Nothing an agent can reach can change a tool, a policy, a credential, an approval, or the memory of its session.',
    source: 'architecture: management is separate',
    layer: 'line',
  },
  'P-management-roles': {
    text: 'The management API is separate, listens on loopback, and is for people with roles and hashed tokens.',
    source: 'services/console/README.md',
    layer: 'unit',
  },
  'P-entries-signed': {
    text: 'A management entry that the console did not sign is not believed.',
    source: 'packages/bus/README.md',
    layer: 'unit',
  },
  'P-bus-foreign-subjects': {
    text: 'A service cannot have anything stored on a subject it does not own, neither by publishing nor as a reply.',
    source: 'packages/bus/README.md',
    layer: 'unit',
  },
  'P-bus-foreign-reads': {
    text: 'A service reads only the streams, buckets and consumers that the lifecycle table gives it.',
    source: 'packages/bus/README.md',
    layer: 'unit',
  },
  'P-nats-tls': {
    text: 'With `tls://` in NATS_URL a service speaks to NATS over verified TLS, or does not start.',
    source: 'packages/bus/README.md',
    layer: 'unit',
  },
  'P-bus-from-table': {
    text: 'Accounts, streams, consumers and permissions are derived from one lifecycle table.',
    source: 'packages/bus/README.md',
    layer: 'unit',
  },
  'P-statements-role-bound': {
    text: 'A statement is believed only from the one service that may sign its type, under a key that the operator’s root certifies.',
    source: 'architecture: signatures',
    layer: 'unit',
  },
  'P-statements-exact-call': {
    text: 'Forged, replayed, cross-call and cross-user statements are refused by executor and broker.',
    source: 'architecture: signatures',
    layer: 'line',
  },
  'P-digest-canonical': {
    text: 'The digest of a call covers who, what and the canonical arguments; ill-formed Unicode has no digest.',
    source: 'RFC 8785',
    layer: 'unit',
  },
  'P-evidence-sealed': {
    text: 'Evidence, held calls and kept results are encrypted for those who need them; altered or moved boxes do not open.',
    source: 'architecture: signatures',
    layer: 'unit',
  },
  'P-published-schemas': {
    text: 'Events, statements and configuration files have published JSON Schemas, and they are current.',
    source: 'JSON Schema 2020-12',
    layer: 'unit',
  },
  'P-identity-from-key': {
    text: 'Agent, user, tenant, session and call come from authentication and never from arguments or the body.',
    source: 'services/ingress/README.md',
    layer: 'line',
  },
  'P-identity-signed-request': {
    text: 'An HTTP tool receives who calls as headers under a signature that it can verify with an exported function.',
    source: 'RFC 9421',
    layer: 'line',
  },
  'P-broker-at-rest': {
    text: 'Credentials are encrypted at rest with AES-256-GCM under a key-encryption key.',
    source: 'services/broker/README.md',
    layer: 'unit',
  },
  'P-broker-lease': {
    text: 'The broker leases only after reading an unsettled claim within its limit from the leader, for the destination it derives itself, sealed to the executor that claimed.',
    source: 'services/broker/README.md',
    layer: 'unit',
  },
  'P-approval-exact-call': {
    text: 'An approval holds for the question’s digest: the exact call, once, until it expires.',
    source: 'services/approver/README.md',
    layer: 'line',
  },
  'P-approval-shown': {
    text: 'A person sees the exact call before answering, and nothing that an agent wrote looks like a line of ours.',
    source: 'packages/cli/README.md',
    layer: 'unit',
  },
  'P-approval-ending': {
    text: 'Who approves a call is told what became of it: that it was carried out, or refused all the same.',
    source: 'packages/cli/README.md',
    layer: 'unit',
  },
  'P-tenant-people': {
    text: 'A person limited to some tenants sees nothing of another one in any list of the console.',
    source: 'services/console/README.md',
    layer: 'unit',
  },
  'P-emergency-duties': {
    text: 'Only who may answer questions about the tools opens an emergency, and by default not whom the agent acts for, who made it, or who made a key of it.',
    source: 'services/console/README.md',
    layer: 'unit',
  },
  'P-approval-identified-person': {
    text: 'Only an identified person with a fitting role can answer, and no agent can.',
    source: 'services/approver/README.md',
    layer: 'line',
  },
  'P-approval-separate-duties': {
    text: 'Where duties are separated, the person an agent acts for may not answer for its calls.',
    source: 'services/approver/README.md',
    layer: 'line',
  },
  'P-approval-shares': {
    text: 'The open questions of one agent or tenant take no more than their share, and all of them leave room for answers and expiry.',
    source: 'services/approver/README.md',
    layer: 'unit',
  },
  'P-approval-durable': {
    text: 'A question survives the death of every process, and a call has one question, ever.',
    source: 'services/approver/README.md',
    layer: 'fault',
  },
  'P-audit-finds-tampering': {
    text: 'Verification finds an edit, a drop, a reorder, a truncation, and a tail cut together with its last checkpoint.',
    source: 'services/auditor/README.md',
    layer: 'unit',
  },
  'P-audit-stub': {
    text: 'A record that cannot be stored is kept as a digest; the audit never stops at it.',
    source: 'services/auditor/README.md',
    layer: 'unit',
  },
} as const satisfies Record<`P-${string}`, Requirement>;
