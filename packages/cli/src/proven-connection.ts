/**
 * Connections over which a token of a person or a key of an agent may go.
 *
 * A program that took the port of the console, or of ingress, would be sent the token of whoever uses the command. So the
 * other end of a connection proves first, over that same connection, that it holds a key that the operator's root
 * certified for that service: it signs a number drawn here together with the address at which it was reached.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { proofSchema } from '@interlock/contracts';
import { verifyStatement } from '@interlock/keys';
import { Failure, type KeyringSource, loadKeyring, PROOF_PATH, systemClock } from '@interlock/shell';

const NONCE_BYTES = 32;
/** A service that is about to end closes a connection with its first answer; its successor keeps it. */
const TRIES = 5;
const PAUSE_MS = 200;

/** A request as `fetch` takes it. */
export interface Sending {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** Who is to prove itself, and with what its key is verified: the operator's root key and the keyring that it signed. */
export interface Expected {
  readonly service: 'console' | 'ingress';
  readonly trust: KeyringSource | undefined;
}

/**
 * Sends a request over a connection whose other end has proved to be the service. Throws `service_unproven`, before
 * anything of the request is sent, and what the connection throws.
 */
export async function sendProven(target: URL, sending: Sending, expected: Expected): Promise<Response> {
  for (let left = TRIES; left > 0; left -= 1) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      const proven = await prove(agent, target, sending.signal, expected);
      const incoming = await sendOver(agent, proven, target, sending);
      return responseOf(incoming, agent);
    } catch (error) {
      agent.destroy();
      if (!(error instanceof OtherConnection)) throw error;
    }
    await systemClock.sleep(PAUSE_MS, sending.signal);
  }
  throw new TypeError(`${target.origin} closed every connection before the request was sent.`);
}

/** Returns the connection over which the proof came. */
async function prove(agent: Agent, target: URL, signal: AbortSignal, expected: Expected): Promise<Socket> {
  const { service, trust } = expected;
  if (trust === undefined)
    throw unproven(target, expected, 'the data folder does not say which key it has', undefined);
  const nonce = randomBytes(NONCE_BYTES).toString('base64url');
  const path = `${PROOF_PATH}?nonce=${nonce}`;
  const outgoing = request({ ...addressOf(target), agent, path, signal });
  outgoing.end();
  const incoming = await answerTo(outgoing);
  const { socket } = incoming;
  const address = `${socket.remoteAddress} ${socket.remotePort}`;
  const answer = await text(incoming);
  try {
    const { proof } = proofSchema.parse(JSON.parse(answer));
    const said = verifyStatement(proof, `${service}Proof`, await loadKeyring(trust), systemClock.nowMs());
    if (said.nonce === nonce && said.address === address) return socket;
  } catch (cause) {
    throw unproven(target, expected, 'what it answered is no proof', cause);
  }
  throw unproven(target, expected, 'what it answered proves another question or address', undefined);
}

/** Sends a request over this connection and no other: nothing is written before the connection is compared. */
async function sendOver(
  agent: Agent,
  proven: Socket,
  target: URL,
  { method, headers, body, signal }: Sending,
): Promise<IncomingMessage> {
  const path = `${target.pathname}${target.search}`;
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const outgoing = request({
    ...addressOf(target),
    ...{ agent, path, method, signal, headers: { ...headers, ...length } },
  });
  outgoing.once('socket', (socket) => {
    if (socket !== proven) outgoing.destroy(new OtherConnection());
  });
  outgoing.end(body);
  return await answerTo(outgoing);
}

async function answerTo(outgoing: ReturnType<typeof request>): Promise<IncomingMessage> {
  const [incoming]: IncomingMessage[] = await once(outgoing, 'response');
  if (incoming === undefined) throw new TypeError('There is no answer.');
  return incoming;
}

function addressOf({ hostname, port }: URL): RequestOptions {
  return { hostname: hostname.replace(/^\[|\]$/g, ''), port };
}

function responseOf(incoming: IncomingMessage, agent: Agent): Response {
  incoming.once('close', () => agent.destroy());
  const body = Readable.toWeb(incoming);
  return new Response(body, { status: incoming.statusCode ?? 0 });
}

class OtherConnection extends Error {}

function unproven({ origin }: URL, { service }: Expected, why: string, cause: unknown): Failure {
  return new Failure(
    'service_unproven',
    `What listens at ${origin} did not prove that it is the ${service} of this installation (${why}), so no token was sent to it.`,
    {
      cause,
      next: 'Find out which program listens there, and end it. Then start Interlock again with interlock up.',
    },
  );
}
