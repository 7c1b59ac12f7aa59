import { setTimeout } from 'node:timers/promises';
import type { Connection } from './connection.ts';

export interface LoopOptions {
  connection: Pick<Connection, 'nats' | 'connected'>;
  /** One turn. It ends early when the signal is aborted. */
  turn: (stopping: AbortSignal) => Promise<void>;
  /** Is called with what a turn threw. */
  onError: (error: unknown) => void;
  /** The wait between a turn and the next. */
  restMs: number;
  /** The wait after a turn that threw, and between two checks of a lost connection. */
  retryMs: number;
}

/** Does one turn after another, while connected, until it is disposed of or the connection is closed. */
export function startLoop({ connection, turn, onError, restMs, retryMs }: LoopOptions): AsyncDisposable {
  const stopping = new AbortController();
  const pause = (durationMs: number) =>
    setTimeout(durationMs, undefined, { signal: stopping.signal }).catch(() => undefined);
  const running = (async () => {
    while (!stopping.signal.aborted && !connection.nats.isClosed()) {
      if (!connection.connected) {
        await pause(retryMs);
        continue;
      }
      try {
        await turn(stopping.signal);
        if (restMs > 0) await pause(restMs);
      } catch (error) {
        onError(error);
        await pause(retryMs);
      }
    }
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await running;
    },
  };
}
