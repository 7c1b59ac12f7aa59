import type { Records } from '@interlock/bus';
import { Fault } from '@interlock/contracts';
import type { Secret } from '@interlock/keys';
import { confirmEpoch, type Epoch } from './epoch.ts';
import { connectRedis } from './redis.ts';
import { release, type TakeAnswer, type TakeRequest, take } from './take.ts';

/** A call waits this long for Redis before it goes back to the bus: well within the consumer's acknowledgement wait. */
const WAIT_FOR_REDIS_MS = 2_000;
/** How often a Redis that is up but may not be used is looked at again. */
const LOOK_AGAIN_MS = 1_000;
/** The first charge may find Redis emptied, the next one a marker of another replica that is being agreed on. */
const TAKES_MAX = 3;

export interface Counters extends AsyncDisposable {
  /** True, or why nothing can be taken. */
  readonly ready: true | string;
  /** Takes from all of a call's limits, or from none. Throws `dependency_unavailable`: try again. */
  take(request: Omit<TakeRequest, 'epoch'>): Promise<Exclude<TakeAnswer, { kind: 'new_epoch' }>>;
  /** Gives back what a call holds. Throws `dependency_unavailable`; it then ends by its expiry. */
  release(call: { tenant: string; call: string }, step: 'settled' | 'refused'): Promise<void>;
}

/** Opens the counters. They become ready by themselves, now and after every outage. */
export function openCounters(options: {
  url: Secret;
  epochs: Records<Epoch>;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}): Counters {
  const { url, epochs, log } = options;
  let epoch: string | undefined;
  let why = 'Redis is away.';
  let confirming: Promise<string> | undefined;
  let closed = false;
  const redis = connectRedis(url, (error) => log.warn({ err: error }, 'the connection to Redis failed'));

  async function confirmed(): Promise<string> {
    if (epoch !== undefined) return epoch;
    confirming ??= confirm().finally(() => {
      confirming = undefined;
    });
    return await confirming;
  }

  async function confirm(): Promise<string> {
    try {
      await redis.whenUp(WAIT_FOR_REDIS_MS);
      epoch = await confirmEpoch(redis, epochs, await redis.inspect());
      log.info({}, 'Redis is ready');
      return epoch;
    } catch (error) {
      why = error instanceof Fault ? error.detail : 'Redis could not be checked.';
      throw error;
    }
  }

  function lookAgain(): void {
    if (closed || epoch !== undefined || !redis.up) return;
    confirmed().catch((error: unknown) => {
      log.warn({ err: error }, 'Redis cannot be used');
      setTimeout(lookAgain, LOOK_AGAIN_MS).unref();
    });
  }

  redis.onChange((up) => {
    epoch = undefined;
    why = 'Redis is away.';
    if (up) lookAgain();
  });

  return {
    get ready() {
      return epoch === undefined ? why : true;
    },
    async take(request) {
      for (let attempt = 0; attempt < TAKES_MAX; attempt++) {
        const known = await confirmed();
        const answer = await take(redis, { ...request, epoch: known });
        if (answer.kind !== 'new_epoch') return answer;
        if (epoch === known) epoch = undefined;
        log.warn({}, 'Redis lost its memory: counters start as if all had been taken');
      }
      throw new Fault('dependency_unavailable', { detail: 'Redis keeps losing its memory.' });
    },
    release: (call, step) => release(redis, call, step),
    async [Symbol.asyncDispose]() {
      closed = true;
      await redis[Symbol.asyncDispose]();
    },
  };
}
