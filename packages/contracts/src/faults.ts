/** The outside interfaces that answer with problem documents: ingress serves agents, the console serves people. */
export type Api = 'agents' | 'management';

interface FaultDefinition {
  /** HTTP status of the answer. */
  status: number;
  /** The interfaces that may answer this code. A code without one stands in logs and in checks of our signatures alone. */
  apis: readonly Api[];
  /** Public text used where nobody gives a more exact one: what happened. */
  text: string;
  /** Whether sending the request again helps and from when, and what else the caller can do. */
  next: string;
  /** True when the same request may succeed later without being changed. */
  retryable: boolean;
}

const AGENTS: readonly Api[] = ['agents'];
const MANAGEMENT: readonly Api[] = ['management'];
const BOTH: readonly Api[] = ['agents', 'management'];
const NEITHER: readonly Api[] = [];

const OPERATOR = 'ask the operator of Interlock';
/** What an agent is told about a mistake on our side. */
const NOT_YOURS = 'the mistake is not yours to correct, so ask the operator of Interlock';
const ADMIN = 'ask an administrator of Interlock';

/** `instead` is what to do instead of sending the same request again. */
function refusal(
  status: number,
  apis: readonly Api[],
  text: string,
  instead = 'correct it first',
): FaultDefinition {
  const next = `Sending the same request again does not help: ${instead}.`;
  return { status, apis, text, next, retryable: false };
}

/** `when` is when sending the same request again may help. */
function passing(
  status: number,
  apis: readonly Api[],
  text: string,
  when = 'after a few seconds, with the same Idempotency-Key if it had one',
): FaultDefinition {
  return { status, apis, text, next: `Send the same request again ${when}.`, retryable: true };
}

/**
 * Every code Interlock answers, logs or records, once. Codes are API: they are never renamed or reused;
 * texts are not API.
 */
export const faults = {
  // The request itself
  body_malformed: refusal(400, BOTH, 'The body is not well-formed JSON.'),
  body_duplicate_key: refusal(400, AGENTS, 'An object in the body has the same member twice.'),
  unicode_malformed: refusal(400, BOTH, 'A string in the body is not well-formed Unicode.'),
  body_too_large: refusal(413, BOTH, 'The body is larger than the limit.'),
  body_too_deep: refusal(400, AGENTS, 'The body is nested deeper than the limit.'),
  string_too_long: refusal(400, AGENTS, 'A string in the body is longer than the limit.'),
  body_invalid: refusal(400, BOTH, 'The body does not have the expected shape.'),
  content_type_unsupported: refusal(415, BOTH, 'The content type must be application/json.'),
  header_invalid: refusal(400, BOTH, 'A header is missing or has a value that is not allowed.'),
  query_invalid: refusal(400, BOTH, 'A query parameter is unknown or has a value that is not allowed.'),
  id_invalid: refusal(400, BOTH, 'An identifier is too long or has characters that are not allowed.'),
  request_timeout: passing(408, AGENTS, 'The request did not arrive within its time limit.'),
  route_unknown: refusal(404, BOTH, 'This address does not exist.'),
  method_not_allowed: refusal(
    405,
    AGENTS,
    'This address does not accept this method.',
    'use a method that the header Allow names',
  ),
  key_missing: refusal(
    401,
    AGENTS,
    'The request has no API key.',
    'send the key as "Authorization: Bearer <key>"',
  ),
  key_invalid: refusal(
    401,
    AGENTS,
    'The API key is unknown, expired or revoked.',
    'ask the operator of Interlock for a new key',
  ),
  call_unknown: {
    ...refusal(404, BOTH, 'No call with this id is known.'),
    next: 'Check the id: an agent can ask for its own calls only. A call that was made a moment ago can be asked for again after a few seconds.',
  },
  idempotency_key_reused: refusal(
    422,
    AGENTS,
    'This Idempotency-Key was used for a different request.',
    'send it with a new Idempotency-Key',
  ),
  idempotency_key_expired: refusal(
    422,
    AGENTS,
    'This Idempotency-Key was used too long ago, or too often.',
    'check what became of the earlier call, then send it with a new Idempotency-Key',
  ),
  // Validation against the tool
  tool_unknown: refusal(404, AGENTS, 'No tool has this name.', 'use a name from /v1/tools'),
  tool_changed: refusal(
    409,
    AGENTS,
    'The tool changed after policy decided about this call.',
    'read the tool again at /v1/tools, then make a new call',
  ),
  tool_unavailable: passing(
    503,
    AGENTS,
    'The server of this tool could not be asked what the tool is, so the tool cannot be called now.',
    'later, with the same Idempotency-Key if it had one: the tool can be called as soon as its server answers',
  ),
  tool_unusable: refusal(
    503,
    AGENTS,
    'The definition of this tool has an error, so the tool cannot be called.',
    NOT_YOURS,
  ),
  arguments_invalid: refusal(
    422,
    AGENTS,
    'The arguments do not match the input schema of the tool.',
    'correct the arguments; /v1/tools has the schema',
  ),
  arguments_too_large: refusal(413, AGENTS, 'The arguments are larger than the limit.'),
  // Decision
  policy_denied: refusal(
    403,
    AGENTS,
    'Policy denied this call.',
    'change the call, or ask the operator of Interlock',
  ),
  policy_default: refusal(
    403,
    AGENTS,
    'No policy rule allows this call.',
    'ask the operator of Interlock to grant it',
  ),
  policy_error: passing(
    503,
    AGENTS,
    'Policy failed to decide, so the call was refused. Nothing was done.',
    'later, when the operator of Interlock has mended the policy: the mistake is not yours to correct',
  ),
  policy_missing: passing(
    503,
    AGENTS,
    'No valid policy is loaded, so the call was refused. Nothing was done.',
    'later, when the operator of Interlock has published a policy: the mistake is not yours to correct',
  ),
  obligation_unknown: refusal(
    403,
    AGENTS,
    'Policy allows this call only under an obligation that Interlock does not support, so the call was refused.',
    NOT_YOURS,
  ),
  statement_invalid: refusal(
    403,
    BOTH,
    'A signed statement or a sealed record does not verify, so it was not used.',
    OPERATOR,
  ),
  // Limits
  rate_limited: passing(
    429,
    AGENTS,
    'Too many calls were made in this time window.',
    'after the number of seconds in retryAfter',
  ),
  concurrency_limited: passing(
    429,
    AGENTS,
    'Too many calls are running at the same time.',
    'after one of the running calls has ended',
  ),
  spend_limited: refusal(
    429,
    AGENTS,
    'The budget of this time window is spent.',
    'make a new call in the next time window, or ask the operator of Interlock for a larger budget',
  ),
  spend_amount_missing: refusal(422, AGENTS, 'The arguments do not contain the amount that the call spends.'),
  agent_flood: passing(
    429,
    AGENTS,
    'This agent sends more requests than it may.',
    'after the number of seconds in retryAfter',
  ),
  overloaded: passing(
    503,
    AGENTS,
    'Interlock handles as many requests as it may at once, so it did not begin with this one. This request did nothing.',
    'after a second, and after longer each time that this is the answer',
  ),
  killed: refusal(
    403,
    AGENTS,
    'A kill switch stops this call.',
    'ask the operator of Interlock, who can turn the switch off; then make a new call',
  ),
  // Approvals
  approval_denied: refusal(403, AGENTS, 'A person denied this call.', 'make a different call'),
  approval_expired: refusal(
    403,
    AGENTS,
    'Nobody answered the question about this call in time.',
    'make a new call, and ask an approver to answer it in time',
  ),
  approval_insufficient: refusal(
    403,
    AGENTS,
    'A person approved this call, but policy does not allow it.',
    NOT_YOURS,
  ),
  approvals_limited: passing(
    429,
    AGENTS,
    'Too many calls wait for a person.',
    'after some of the calls that wait were answered, or have expired',
  ),
  approval_impossible: refusal(403, AGENTS, 'This call needs an approval that nobody may give.', NOT_YOURS),
  answer_not_allowed: refusal(
    403,
    MANAGEMENT,
    'This person may not answer this question.',
    'ask a person who has one of the roles that the question names',
  ),
  answer_mismatch: refusal(
    409,
    MANAGEMENT,
    'The answer is about a different question than the open one.',
    'read the open question again, and answer that one',
  ),
  question_closed: refusal(
    409,
    MANAGEMENT,
    'The question was answered already, or it expired.',
    'the audit trail has what became of the call',
  ),
  question_unknown: refusal(404, MANAGEMENT, 'This question does not exist.', 'list the open questions'),
  // Credentials
  credential_unknown: refusal(503, AGENTS, 'The credential that this tool needs is not set.', NOT_YOURS),
  credential_unusable: refusal(503, AGENTS, 'The credential that this tool needs cannot be used.', NOT_YOURS),
  lease_refused: refusal(403, AGENTS, 'The broker refused to lease the credential for this call.', NOT_YOURS),
  // Execution
  deadline_passed: passing(
    503,
    AGENTS,
    'The call reached its deadline before it was started. Nothing was done.',
  ),
  cancelled: passing(
    503,
    AGENTS,
    'The agent closed the connection before the call was started. Nothing was done.',
    'if the call is still wanted',
  ),
  ledger_full: passing(
    503,
    BOTH,
    'The ledger is nearly full, so no new call is started.',
    'after the operator of Interlock has made room',
  ),
  poison: refusal(
    503,
    AGENTS,
    'The call failed inside Interlock several times. Nothing was done.',
    NOT_YOURS,
  ),
  dependency_unavailable: passing(503, BOTH, 'A part of Interlock that this request needs is not available.'),
  outcome_unknown: {
    ...refusal(504, BOTH, 'It is not known yet whether the request was carried out.'),
    next: 'Ask for the outcome at /v1/calls/{call}. Do not send the call under another Idempotency-Key: it could be carried out twice.',
  },
  internal: {
    ...refusal(500, BOTH, 'Interlock failed to handle the request because of an error of its own.'),
    next: 'The mistake is not yours to correct: ask the operator of Interlock, who finds it in the log. Repeat a call only with the same Idempotency-Key.',
  },
  // Outbound HTTP
  egress_destination_refused: refusal(403, BOTH, 'This tool may not send to this destination.', OPERATOR),
  egress_address_refused: refusal(
    403,
    BOTH,
    'The destination has a network address that tools may not send to.',
    OPERATOR,
  ),
  egress_unreachable: passing(502, BOTH, 'The destination could not be reached.'),
  egress_timeout: passing(504, BOTH, 'The destination did not answer in time.'),
  egress_too_large: refusal(502, BOTH, 'The answer of the destination is larger than the limit.', OPERATOR),
  egress_broken: passing(502, BOTH, 'The connection to the destination broke.'),
  egress_expired: passing(
    503,
    AGENTS,
    'The time limit of the call ended before the first byte was sent. Nothing was sent.',
  ),
  template_argument_missing: refusal(
    422,
    AGENTS,
    'The URL of the tool needs an argument that the call does not have.',
  ),
  template_argument_refused: refusal(
    422,
    AGENTS,
    'An argument has a value that may not stand in the URL of the tool.',
  ),
  header_argument_refused: refusal(422, AGENTS, 'An argument has a value that may not stand in a header.'),
  upstream_changed: refusal(
    409,
    BOTH,
    'The MCP server describes this tool differently now than in the definition that was agreed to.',
    'ask an administrator of Interlock to check and pin the new definition',
  ),
  command_unlisted: refusal(
    502,
    BOTH,
    'The local MCP server is not on the list of those that the operator lets the executor start.',
    'ask the operator of Interlock to add it (`interlock apply`, or INTERLOCK_EXECUTOR_COMMANDS)',
  ),
  upstream_failed: passing(502, BOTH, 'The upstream server could not carry out the call.'),
  // Message signatures (RFC 9421), for API owners who verify our requests
  signature_missing: refusal(401, NEITHER, 'The request has no signature.'),
  signature_malformed: refusal(401, NEITHER, 'The signature of the request is malformed.'),
  signature_expired: refusal(401, NEITHER, 'The signature of the request has expired or is not valid yet.'),
  signature_key_unknown: refusal(401, NEITHER, 'The signature was made with an unknown key.'),
  signature_mismatch: refusal(401, NEITHER, 'The signature does not match the request.'),
  signature_body_mismatch: refusal(401, NEITHER, 'The body does not match the digest that was signed.'),
  // Management
  token_missing: refusal(
    401,
    MANAGEMENT,
    'The request has no access token.',
    'send the token of a person in people.yaml as "Authorization: Bearer <token>"',
  ),
  token_invalid: refusal(401, MANAGEMENT, 'The access token is not valid.', ADMIN),
  role_missing: refusal(403, MANAGEMENT, 'This person does not have the role that this needs.', ADMIN),
  configuration_invalid: refusal(
    422,
    BOTH,
    'The configuration is not valid.',
    'correct the configuration first',
  ),
  bundle_unsigned: refusal(
    403,
    MANAGEMENT,
    'No author whom the operator certified signed this policy bundle.',
    "sign the bundle with the author's key, then publish it",
  ),
  policy_version_unknown: refusal(
    404,
    MANAGEMENT,
    'This policy version does not exist, or its bundle is no longer kept.',
    'list the versions, and name one of them',
  ),
  name_unknown: refusal(404, MANAGEMENT, 'Nothing has this name.', 'list the names, and use one of them'),
  name_taken: refusal(
    409,
    MANAGEMENT,
    'This name is taken.',
    'use another name, or change what has this one',
  ),
  entry_forged: refusal(
    500,
    BOTH,
    'A stored management entry has no valid signature of the console, so it was not used.',
    OPERATOR,
  ),
  trace_unknown: refusal(
    404,
    MANAGEMENT,
    'No trace of this call is kept here.',
    'the audit trail has what became of the call',
  ),
  audit_unavailable: passing(503, MANAGEMENT, 'The audit store is not available.', 'after a few seconds'),
} as const satisfies Record<string, FaultDefinition>;

/** A stable error code. */
export type FaultCode = keyof typeof faults;

/** Every code, for schemas and documentation. */
export const faultCodes = Object.keys(faults) as [FaultCode, ...FaultCode[]];

/** Returns the codes that an interface may answer. */
export function faultCodesOf(api: Api): FaultCode[] {
  return faultCodes.filter((code) => faults[code].apis.includes(api));
}
