import { EgressFault, type Sent } from './fault.ts';

/** The codes of OpenSSL and Node for a certificate or a handshake that cannot be trusted. */
const TLS_CODE =
  /^(ERR_TLS_|ERR_SSL_|CERT_|CRL_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|EPROTO)/;
/** The client's codes for malformed headers or lengths. */
const MALFORMED_CODES: ReadonlySet<string> = new Set([
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);
const PARSER_ERROR_NAME = 'HTTPParserError';

/**
 * Returns the fault for whatever ended a request.
 * @param sent whether the first byte may have left.
 */
export function explainFailure(cause: unknown, sent: Sent): EgressFault {
  if (cause instanceof EgressFault) return sent === 'maybe' ? cause.afterSending() : cause;
  const known = describe(cause);
  return sent === 'maybe'
    ? new EgressFault('egress_broken', { sent, detail: explainBroken(known), cause: bare(known) })
    : new EgressFault('egress_unreachable', { sent, detail: explainUnreachable(known), cause: bare(known) });
}

function explainBroken({ name, code }: Known): string {
  if (name === PARSER_ERROR_NAME || MALFORMED_CODES.has(code)) return 'The answer is not well-formed HTTP.';
  return 'The connection ended before the answer was complete.';
}

function explainUnreachable({ code }: Known): string {
  if (TLS_CODE.test(code)) return 'The TLS certificate of the destination could not be verified.';
  return 'No connection to the destination could be made.';
}

type Known = { name: string; code: string; message: string };

function describe(cause: unknown): Known {
  if (!(cause instanceof Error)) return { name: 'Error', code: '', message: String(cause) };
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  return { name: cause.name, code, message: cause.message };
}

/** A client's error may have raw bytes of the answer, and with them an echoed credential; its message does not. */
function bare({ name, code, message }: Known): Error {
  return new Error(`${name}${code === '' ? '' : ` ${code}`}: ${message}`);
}
