/**
 * A service that listens for people or agents proves who it is before a token is sent to it: another program may have
 * taken its port.
 *
 * What is signed names the number that the asker drew, and the address of the very connection over which it asked: a
 * program in between that passes the question on gets the proof of another address.
 */
import type { Socket } from 'node:net';
import { Fault } from '@interlock/contracts';
import { type SigningKey, signStatement } from '@interlock/keys';
import { z } from 'zod';

/** Where the proof is asked for, by everybody and without a token. */
export const PROOF_PATH = '/.well-known/interlock-proof';
const querySchema = z.strictObject({ nonce: z.base64url().length(43) });

export interface ProofParts {
  readonly type: 'consoleProof' | 'ingressProof';
  readonly key: SigningKey;
  readonly nowMs: number;
}

/** Returns a signed proof for a request's query and connection. Throws `query_invalid`. */
export function proveAddress(
  { query, socket }: { query: unknown; socket: Pick<Socket, 'localAddress' | 'localPort'> },
  { type, key, nowMs }: ProofParts,
): { proof: string } {
  const asked = querySchema.safeParse(query);
  if (!asked.success)
    throw new Fault('query_invalid', {
      detail: 'The only parameter is nonce: 43 characters of base64url, which are 32 bytes.',
    });
  const address = `${socket.localAddress} ${socket.localPort}`;
  return { proof: signStatement({ type, ...asked.data, address, issuedAt: nowMs }, key) };
}
