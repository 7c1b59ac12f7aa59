import { EgressFault, type Sent } from './fault.ts';

/** What OpenSSL and Node call a certificate or a handshake that is not to be trusted. */
const TLS_CODE =
  /^(ERR_TLS_|ERR_SSL_|CERT_|CRL_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|EPROTO)/;
/** The parser's own codes, and the client's for headers or lengths that do not add up. */
const MALFORMED_CODE = /^(HPE_|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_CONTENT_LENGTH_MISMATCH)/;

/**
 * Turns whatever ended a request into one of this package's faults, and keeps it as the cause.
 * @param sent whether the first byte may have left.
 */
export function explainFailure(cause: unknown, sent: Sent): EgressFault {
  if (cause instanceof EgressFault) return sent === 'maybe' ? cause.afterSending() : cause;
  const code = codeOf(cause);
  return sent === 'maybe'
    ? new EgressFault('egress_broken', { sent, detail: explainBroken(code), cause })
    : new EgressFault('egress_unreachable', { sent, detail: explainUnreachable(code), cause });
}

function explainBroken(code: string): string {
  if (MALFORMED_CODE.test(code)) return 'The answer is not well-formed HTTP.';
  return 'The connection ended before the answer was complete.';
}

function explainUnreachable(code: string): string {
  if (TLS_CODE.test(code)) return 'The destination could not prove who it is.';
  return 'No connection to the destination could be made.';
}

function codeOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' ? code : '';
}
