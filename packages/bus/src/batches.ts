import type { StreamName } from '@interlock/contracts';
import type { Consumer, JsMsg } from '@nats-io/jetstream';
import type { BusContext } from './context.ts';
import { startLoop } from './loop.ts';

const BATCH_WAIT_MS = 1_000;
/** The wait before a batch that failed is read again. */
export const RETRY_DELAY_MS = 500;
const NANOSECONDS_PER_MS = 1_000_000n;

/** Reads batch after batch until disposed. A batch that throws is logged and read again. */
export function readBatches(
  { connection, log }: Pick<BusContext, 'connection' | 'log'>,
  stream: StreamName,
  { turn, restMs }: { turn: () => Promise<void>; restMs: number },
): AsyncDisposable {
  return startLoop({
    connection,
    turn,
    onError: (error) => log.warn({ err: error, stream }, 'could not handle a batch; reading it again'),
    restMs,
    retryMs: RETRY_DELAY_MS,
  });
}

/** Fetches at most so many messages, or as many as arrive in a second. Returns when all of them have arrived. */
export async function fetchBatch(consumer: Consumer, max: number): Promise<JsMsg[]> {
  const messages: JsMsg[] = [];
  for await (const message of await consumer.fetch({ max_messages: max, expires: BATCH_WAIT_MS }))
    messages.push(message);
  return messages;
}

/** Returns when the server stored a message, milliseconds since the epoch. */
export function storedAtMsOf({ timestampNanos }: JsMsg): number {
  return Number(timestampNanos / NANOSECONDS_PER_MS);
}
