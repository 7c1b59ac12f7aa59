interface FaultDefinition {
  /** HTTP status of the answer. */
  status: number;
  /** Public text used when nobody says more. */
  text: string;
  /** What the caller can do next. */
  next: string;
  /** True when the same request may succeed later without being changed. */
  retryable: boolean;
}

const FIX = 'Correct the request and send it again.';
const ASK = 'Ask the operator of this gateway.';
const WAIT = 'Wait and send the same request again with the same Idempotency-Key.';
const LOOK = 'Ask for the outcome at /v1/calls/{call}; do not send the call again under another key.';

function refusal(status: number, text: string, next: string = FIX): FaultDefinition {
  return { status, text, next, retryable: false };
}

function passing(status: number, text: string, next: string = WAIT): FaultDefinition {
  return { status, text, next, retryable: true };
}

/**
 * Every code Interlock answers, logs or records, once. Codes are API: they are never renamed or reused;
 * texts are not API.
 */
export const faults = {
  // The request itself
  body_malformed: refusal(400, 'The body is not well-formed JSON.'),
  body_duplicate_key: refusal(400, 'The body names the same member twice.'),
  unicode_malformed: refusal(400, 'A string is not well-formed Unicode.'),
  body_too_large: refusal(413, 'The body is larger than this gateway takes.'),
  body_too_deep: refusal(400, 'The body is nested deeper than this gateway takes.'),
  string_too_long: refusal(400, 'A string is longer than this gateway takes.'),
  body_invalid: refusal(400, 'The body does not have the expected shape.'),
  content_type_unsupported: refusal(415, 'The body must be application/json.'),
  header_invalid: refusal(400, 'A header has a value this gateway does not take.'),
  query_invalid: refusal(400, 'A query parameter has a value this gateway does not take.'),
  id_invalid: refusal(400, 'An identifier holds characters that identifiers may not have.'),
  request_timeout: passing(408, 'The request did not arrive in time.'),
  route_unknown: refusal(404, 'There is nothing at this address.'),
  method_not_allowed: refusal(405, 'This address does not take this method.'),
  key_missing: refusal(401, 'An API key is needed.', 'Send it as "Authorization: Bearer <key>".'),
  key_invalid: refusal(401, 'The API key is not valid, has expired or was revoked.', ASK),
  call_unknown: refusal(404, 'There is no such call.', 'Check the call id and the key it was made with.'),
  idempotency_key_reused: refusal(
    422,
    'This Idempotency-Key was used with another request.',
    'Use a new key.',
  ),
  idempotency_key_expired: refusal(422, 'This Idempotency-Key is past its window.', 'Use a new key.'),
  // Validation against the tool
  tool_unknown: refusal(404, 'There is no such tool.', 'List the tools at /v1/tools.'),
  tool_changed: refusal(
    409,
    'The tool changed after the call was decided.',
    'List the tools and call again.',
  ),
  tool_unusable: refusal(503, 'The definition of this tool cannot be used, so it cannot be called.', ASK),
  arguments_invalid: refusal(422, 'The arguments do not match the schema of the tool.'),
  arguments_too_large: refusal(413, 'The arguments are larger than this gateway takes.'),
  // Decision
  policy_denied: refusal(
    403,
    'Policy does not allow this call.',
    'Do something else; repeating it will not help.',
  ),
  policy_default: refusal(403, 'No policy allows this call.', ASK),
  policy_error: passing(503, 'Policy could not decide, so the call was refused.'),
  policy_missing: passing(503, 'No valid policy is loaded, so the call was refused.'),
  obligation_unknown: refusal(
    403,
    'Policy obliges this gateway to something it does not know, so the call was refused.',
    ASK,
  ),
  statement_invalid: refusal(403, 'The decision that came with the call is not authentic.', ASK),
  // Limits
  rate_limited: passing(429, 'Too many calls in this window.', 'Wait as long as Retry-After says.'),
  concurrency_limited: passing(429, 'Too many calls at once.', 'Wait for a call to finish.'),
  spend_limited: refusal(
    429,
    'The budget for this window is spent.',
    'Ask the operator or wait for the next window.',
  ),
  spend_amount_missing: refusal(422, 'The call does not say what it spends.'),
  agent_flood: passing(
    429,
    'This agent sends more than this gateway takes.',
    'Wait as long as Retry-After says.',
  ),
  killed: refusal(403, 'The kill switch is on for this call.', ASK),
  // Approvals
  approval_denied: refusal(403, 'A person denied this call.', 'Do something else.'),
  approval_expired: refusal(
    403,
    'Nobody approved this call in time.',
    'Ask the person to look, then call again.',
  ),
  approval_insufficient: refusal(403, 'Policy still does not allow this call after approval.', ASK),
  approval_impossible: refusal(403, 'Nobody may approve this call.', ASK),
  answer_not_allowed: refusal(403, 'This person may not answer this question.', 'Ask another approver.'),
  answer_mismatch: refusal(
    409,
    'The answer is not about the question that was asked.',
    'Look at the question again.',
  ),
  question_closed: refusal(409, 'The question has been answered or has expired.', 'Look at the call.'),
  question_unknown: refusal(404, 'There is no such question.', 'List the open questions.'),
  // Credentials
  credential_unknown: refusal(503, 'The credential this tool needs is not set.', ASK),
  credential_unusable: refusal(503, 'The credential this tool needs cannot be used.', ASK),
  lease_refused: refusal(403, 'The broker refused to lease the credential.', ASK),
  // Execution
  deadline_passed: passing(503, 'The call ran out of time before anything was done. Nothing was done.'),
  cancelled: passing(503, 'The agent hung up before anything was done. Nothing was done.'),
  ledger_full: passing(503, 'The ledger is nearly full, so nothing new starts. Nothing was done.', ASK),
  poison: refusal(503, 'The call could not be handled after several tries. Nothing was done.', ASK),
  dependency_unavailable: passing(503, 'A part of the gateway is not available. Nothing was done.'),
  outcome_unknown: refusal(504, 'It is not known yet whether the call was carried out.', LOOK),
  internal: refusal(500, 'The gateway made a mistake.', ASK),
  // Outbound HTTP
  egress_destination_refused: refusal(403, 'The destination is not allowed for this tool.', ASK),
  egress_address_refused: refusal(
    403,
    'The destination resolves to an address that may not be reached.',
    ASK,
  ),
  egress_unreachable: passing(502, 'The destination could not be reached.'),
  egress_timeout: passing(504, 'The destination did not answer in time.'),
  egress_too_large: refusal(502, 'The answer of the destination is larger than this tool takes.', ASK),
  egress_broken: passing(502, 'The connection to the destination broke.'),
  egress_expired: passing(503, 'The claim ran out before the first byte was sent. Nothing was sent.'),
  template_argument_missing: refusal(422, 'The URL of the tool needs an argument that is not there.'),
  template_argument_refused: refusal(422, 'An argument cannot be placed in the URL of the tool.'),
  header_argument_refused: refusal(422, 'An argument cannot be placed in a header.'),
  upstream_changed: refusal(409, 'The upstream server now describes this tool differently.', ASK),
  upstream_failed: passing(502, 'The upstream server could not carry out the call.'),
  // Message signatures (RFC 9421), for API owners who verify our requests
  signature_missing: refusal(401, 'The request carries no signature.'),
  signature_malformed: refusal(401, 'The signature of the request is malformed.'),
  signature_expired: refusal(401, 'The signature of the request is too old or not yet valid.'),
  signature_key_unknown: refusal(401, 'The signature was made with an unknown key.'),
  signature_mismatch: refusal(401, 'The signature does not match the request.'),
  signature_body_mismatch: refusal(401, 'The body does not match the signed digest.'),
  // Management
  token_missing: refusal(401, 'A token is needed.', 'Log in: the token of a person from people.yaml.'),
  token_invalid: refusal(401, 'The token is not valid.', 'Ask an administrator.'),
  role_missing: refusal(403, 'This person does not have the role this needs.', 'Ask an administrator.'),
  configuration_invalid: refusal(422, 'The configuration is not valid.'),
  bundle_unsigned: refusal(
    403,
    'No author the operator certifies signed this policy bundle.',
    "Sign it with the author's key.",
  ),
  policy_version_unknown: refusal(404, 'There is no such policy version, or its bundle is no longer kept.'),
  name_unknown: refusal(404, 'There is nothing by this name.'),
  name_taken: refusal(409, 'There is something by this name already.'),
  entry_forged: refusal(500, 'A stored entry is not signed by the management door.', ASK),
  trace_unknown: refusal(404, 'There is no trace of this call here.'),
  audit_unavailable: passing(503, 'The audit store is not available.', 'Try again.'),
} as const satisfies Record<string, FaultDefinition>;

/** A stable error code. */
export type FaultCode = keyof typeof faults;

/** Every code, for schemas and documentation. */
export const faultCodes = Object.keys(faults) as [FaultCode, ...FaultCode[]];
