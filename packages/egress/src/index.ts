export type { AgentLimits } from './agent.ts';
export type { IsEnough } from './exchange.ts';
export { type EgressCode, EgressFault, type Sent } from './fault.ts';
export {
  assertHeaderValue,
  type HeaderList,
  type HeaderRecord,
  headerValue,
  isOwnedByConnection,
} from './headers.ts';
export type { Identity } from './identity.ts';
export { cleanText, mentions } from './mentions.ts';
export type { Resolve } from './pin.ts';
export { type CompiledPolicy, compilePolicy, type EgressPolicy, permitUrl } from './policy.ts';
export { basicSecrets, type Redacted, redact, redactBody, redactHeaders } from './redact.ts';
export {
  createEgress,
  type Egress,
  type EgressOptions,
  type EgressRequest,
  type EgressResponse,
} from './request.ts';
export {
  type MessageHeaders,
  type SignedMessage,
  type SigningOptions,
  signRequest,
  type VerifyingOptions,
  verifyRequest,
} from './signature.ts';
