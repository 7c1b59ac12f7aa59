/**
 * Pulling from a durable consumer for as long as the service lives.
 *
 * 1. At most `concurrency` messages are handled at once; what was pulled and not begun goes back when draining.
 * 2. Whatever ends the pulling (the bus away, the line lost and made again) starts it again.
 */
import { type ConsumerName, consumers } from '@interlock/contracts';
import type { ConsumerMessages, JetStreamClient, JsMsg } from '@nats-io/jetstream';
import type { BusLog } from './bus.ts';
import type { Connection } from './connection.ts';

const RESTART_DELAY_MS = 250;
/** A pull waits this long at the server, and says it is alive this often. */
const PULL_EXPIRES_MS = 5_000;
/** How long draining waits for messages in hand. */
const DRAIN_MS = 14_000;

export interface Consumption extends AsyncDisposable {}

export type Consume = (
  name: ConsumerName,
  concurrency: number,
  handle: (message: JsMsg, signal: AbortSignal) => Promise<void>,
) => Promise<Consumption>;

/** Makes the one way of consuming durable consumers over a connection. */
export function createConsume(connection: Connection, js: JetStreamClient, log: BusLog): Consume {
  return async (name, concurrency, handle) => {
    const stopping = new AbortController();
    const inHand = new Set<Promise<void>>();
    let messages: ConsumerMessages | undefined;
    const forget = connection.onReconnect(() => messages?.stop());

    const pull = async (): Promise<void> => {
      const consumer = await js.consumers.get(consumers[name].stream, name);
      messages = await consumer.consume({
        max_messages: concurrency * 2,
        expires: PULL_EXPIRES_MS,
        abort_on_missing_resource: true,
      });
      stopping.signal.addEventListener('abort', () => messages?.stop(), { once: true });
      for await (const message of messages) {
        if (stopping.signal.aborted) {
          message.nak();
          continue;
        }
        const work = handle(message, stopping.signal)
          .catch((error: unknown) =>
            log.error({ err: error, consumer: name }, 'a message was left to be delivered again'),
          )
          .finally(() => inHand.delete(work));
        inHand.add(work);
        if (inHand.size >= concurrency) await Promise.race(inHand);
      }
    };

    const running = (async () => {
      while (!stopping.signal.aborted && !connection.nats.isClosed()) {
        try {
          await pull();
        } catch (error) {
          log.debug({ err: error, consumer: name }, 'pulling stopped and starts again');
        }
        if (!stopping.signal.aborted) await new Promise((resolve) => setTimeout(resolve, RESTART_DELAY_MS));
      }
    })();

    return {
      [Symbol.asyncDispose]: async () => {
        stopping.abort();
        forget();
        messages?.stop();
        // Once the server knows that nobody listens it sends nothing more to the pulls that are still open there.
        const known = connection.connected ? connection.nats.flush().catch(() => undefined) : undefined;
        await Promise.race([
          Promise.all([running, known, ...inHand]),
          new Promise((resolve) => setTimeout(resolve, DRAIN_MS).unref()),
        ]);
      },
    };
  };
}
