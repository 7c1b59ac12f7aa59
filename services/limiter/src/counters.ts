import type { Records } from '@interlock/bus';
import { Fault } from '@interlock/contracts';
import type { Secret } from '@interlock/keys';
import { type Clock, repeat } from '@interlock/shell';
import { type ChargeAnswer, type ChargeRequest, charge, release } from './charge.ts';
import { type AgreedEpoch, confirmEpoch, type Epoch, holdsEpoch } from './epoch.ts';
import { connectRedis } from './redis.ts';

/** A call waits this long for Redis before it is left to another delivery: well within the consumer's acknowledgement wait. */
const WAIT_FOR_REDIS_MS = 2_000;
/** How often Redis is checked: whether it may be used, and whether it still has its counters. */
const CHECK_AGAIN_MS = 1_000;
/** The first charge may find Redis emptied, the next one a new epoch of another replica that is not agreed on yet. */
const ATTEMPTS_MAX = 3;

const DISCONNECTED = 'The limiter is disconnected from Redis.';

export interface Counters extends AsyncDisposable {
  /** True, or why nothing can be charged. */
  readonly ready: true | string;
  /** When Redis last lost its counters, RFC 3339; undefined where it never did. */
  readonly lostAt: string | undefined;
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
  let epoch: AgreedEpoch | undefined;
  let lostAtMs: number | undefined;
  let notReady = DISCONNECTED;
  let confirming: Promise<AgreedEpoch> | undefined;
  const redis = connectRedis({ url, password }, (error) =>
    log.warn({ err: error }, 'the connection to Redis failed'),
  );

  async function confirmed(): Promise<AgreedEpoch> {
    if (epoch !== undefined) return epoch;
    confirming ??= confirm().finally(() => {
      confirming = undefined;
    });
    return await confirming;
  }

  async function confirm(): Promise<AgreedEpoch> {
    try {
      await redis.whenUp(WAIT_FOR_REDIS_MS);
      epoch = await confirmEpoch(redis, epochs, await redis.inspect());
      if (epoch.lostAtMs !== undefined && epoch.lostAtMs !== lostAtMs)
        log.warn(
          { lostAt: new Date(epoch.lostAtMs).toISOString() },
          'Redis lost its counters: what was charged before counts as used up',
        );
      ({ lostAtMs } = epoch);
      log.info({}, 'Redis is ready');
      return epoch;
    } catch (error) {
      notReady = error instanceof Fault ? error.detail : 'Redis could not be checked.';
      throw error;
    }
  }

  const checking = repeat({ clock, log, task: 'checking Redis', waitMs: CHECK_AGAIN_MS }, async () => {
    const known = epoch;
    // An emptied Redis is noticed here, also when nothing is charged.
    if (known !== undefined && redis.up && !(await holdsEpoch(redis, known.id)) && epoch === known)
      epoch = undefined;
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
    get lostAt() {
      return lostAtMs === undefined ? undefined : new Date(lostAtMs).toISOString();
    },
    async charge(request) {
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const known = await confirmed();
        const answer = await charge(redis, { ...request, epoch: known.id });
        if (answer.kind !== 'new_epoch') return answer;
        if (epoch === known) epoch = undefined;
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
