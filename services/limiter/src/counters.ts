import type { Records } from '@interlock/bus';
import { Fault } from '@interlock/contracts';
import type { Secret } from '@interlock/keys';
import { type Clock, repeat } from '@interlock/shell';
import { type ChargeAnswer, type ChargeRequest, charge, release } from './charge.ts';
import { confirmEpoch, type Epoch } from './epoch.ts';
import { connectRedis } from './redis.ts';

/** A call waits this long for Redis before it is left to another delivery: well within the consumer's acknowledgement wait. */
const WAIT_FOR_REDIS_MS = 2_000;
/** How often a Redis that is connected but may not be used is checked again. */
const CHECK_AGAIN_MS = 1_000;
/** The first charge may find Redis emptied, the next one a new epoch of another replica that is not agreed on yet. */
const ATTEMPTS_MAX = 3;

const DISCONNECTED = 'The limiter is disconnected from Redis.';

export interface Counters extends AsyncDisposable {
  /** True, or why nothing can be charged. */
  readonly ready: true | string;
  /** Charges a call to all its limits, or to none. Throws `dependency_unavailable`: try again. */
  charge(request: Omit<ChargeRequest, 'epoch'>): Promise<Exclude<ChargeAnswer, { kind: 'new_epoch' }>>;
  /** Releases what a call holds. Throws `dependency_unavailable`; a slot then expires. */
  release(call: { tenant: string; call: string }, step: 'settled' | 'refused'): Promise<void>;
}

/** Opens the counters. They become ready by themselves, now and after every outage. */
export function openCounters(options: {
  url: Secret;
  password: Secret | undefined;
  epochs: Records<Epoch>;
  clock: Pick<Clock, 'sleep'>;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}): Counters {
  const { url, password, epochs, clock, log } = options;
  let epoch: string | undefined;
  let notReady = DISCONNECTED;
  let confirming: Promise<string> | undefined;
  const redis = connectRedis({ url, password }, (error) =>
    log.warn({ err: error }, 'the connection to Redis failed'),
  );

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
      notReady = error instanceof Fault ? error.detail : 'Redis could not be checked.';
      throw error;
    }
  }

  const checking = repeat({ clock, log, task: 'checking Redis', waitMs: CHECK_AGAIN_MS }, async () => {
    if (epoch === undefined && redis.up) await confirmed();
  });
  redis.onChange((up) => {
    epoch = undefined;
    notReady = DISCONNECTED;
    if (up) checking.wake();
  });

  return {
    get ready() {
      return epoch === undefined ? notReady : true;
    },
    async charge(request) {
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const known = await confirmed();
        const answer = await charge(redis, { ...request, epoch: known });
        if (answer.kind !== 'new_epoch') return answer;
        if (epoch === known) epoch = undefined;
        log.warn({}, 'Redis lost its counters: what was charged before counts as used up');
      }
      throw new Fault('dependency_unavailable', {
        detail: 'Redis lost its counters again and again while the call was charged. Nothing was charged.',
      });
    },
    release: (call, step) => release(redis, call, step),
    async [Symbol.asyncDispose]() {
      // The connection first, so that a check under way ends.
      checking.stop();
      await redis[Symbol.asyncDispose]();
      await checking[Symbol.asyncDispose]();
    },
  };
}
