/**
 * Pulling from a durable consumer for as long as the service lives.
 *
 * C1 At most `concurrency` messages are handled at once. A message that was pulled and not begun is given back when the
 *    consumption is disposed of; those that were begun are finished first.
 * C2 When pulling ends (disconnected from NATS, the line lost and made again), it is started again.
 */
import { type ConsumerName, consumers } from '@interlock/contracts';
import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { BusContext } from './context.ts';
import { startLoop } from './loop.ts';

const RESTART_DELAY_MS = 250;
/** A pull waits this long at the server, and is renewed this often. */
const PULL_EXPIRES_MS = 5_000;
/** How long disposing waits for messages that were begun. */
const DRAIN_MS = 14_000;

export interface Consumption {
  name: ConsumerName;
  /** Messages handled at once. */
  concurrency: number;
  handle: (message: JsMsg, signal: AbortSignal) => Promise<void>;
}

/** Handles every message of a durable consumer until disposed. */
export function consume(
  { connection, js, log }: Pick<BusContext, 'connection' | 'js' | 'log'>,
  { name, concurrency, handle }: Consumption,
): AsyncDisposable {
  const begun = new Set<Promise<void>>();
  let messages: ConsumerMessages | undefined;
  const stop = () => messages?.stop();
  const forget = connection.onReconnect(stop);

  const pull = async (stopping: AbortSignal): Promise<void> => {
    const consumer = await js.consumers.get(consumers[name].stream, name);
    messages = await consumer.consume({
      max_messages: concurrency * 2,
      expires: PULL_EXPIRES_MS,
      abort_on_missing_resource: true,
    });
    if (stopping.aborted) stop();
    for await (const message of messages) {
      // C1
      if (stopping.aborted) {
        message.nak();
        continue;
      }
      const work = handle(message, stopping)
        .catch((error: unknown) =>
          log.error(
            { err: error, consumer: name },
            'could not handle a message; it is delivered again later',
          ),
        )
        .finally(() => begun.delete(work));
      begun.add(work);
      // C1
      if (begun.size >= concurrency) await Promise.race(begun);
    }
  };
  const loop = startLoop({
    connection,
    turn: pull,
    onError: (error) => log.debug({ err: error, consumer: name }, 'could not pull messages; trying again'),
    restMs: RESTART_DELAY_MS,
    retryMs: RESTART_DELAY_MS,
  });

  return {
    [Symbol.asyncDispose]: async () => {
      const ended = loop[Symbol.asyncDispose]();
      forget();
      stop();
      // Once the server knows that the subscription ended, it sends nothing more to the pulls that are still open.
      const flushed = connection.connected ? connection.nats.flush().catch(() => undefined) : undefined;
      await Promise.race([
        Promise.all([ended, flushed, ...begun]),
        new Promise((resolve) => setTimeout(resolve, DRAIN_MS).unref()),
      ]);
    },
  };
}
