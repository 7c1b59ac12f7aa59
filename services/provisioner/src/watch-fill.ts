import type { Provisioner } from '@interlock/bus';
import { gauges, repeat, type ServiceContext } from '@interlock/shell';

/** A stream fills up over minutes at the quickest. */
const CHECK_EVERY_MS = 5_000;
/** Above this share of its size a stream or bucket is told of: there is still time. */
const ALARM_RATIO = 0.6;
/** Below this share the alarm ends: one that goes up and down around 60 % is told of once. */
const QUIET_RATIO = 0.5;

let used: ReadonlyMap<string, number> = new Map();
gauges('interlock_provisioner_stream_used_ratio', 'Used share of the size of each stream and bucket.', {
  label: 'stream',
  read: () => used,
});

export interface FillWatch extends AsyncDisposable {
  /** The streams and buckets that fill up, with their shares; undefined where there are none. */
  readonly filling: string | undefined;
}

/** Looks again and again at how full streams and buckets are, until disposed. */
export function watchFill(
  provisioner: Provisioner,
  { log, clock }: Pick<ServiceContext<unknown>, 'log' | 'clock'>,
): FillWatch {
  const filling = new Set<string>();
  const task = 'reading how full streams are';
  const reading = repeat({ clock, log, task, waitMs: CHECK_EVERY_MS }, async () => {
    if (!provisioner.connected) return;
    used = await provisioner.used();
    for (const [stream, ratio] of used) {
      if (ratio >= ALARM_RATIO && !filling.has(stream)) {
        filling.add(stream);
        log.warn(
          { stream, percent: percent(ratio) },
          'a stream fills up; docs/streams.md says why and what to do',
        );
      } else if (ratio < QUIET_RATIO && filling.delete(stream))
        log.info({ stream, percent: percent(ratio) }, 'a stream that was filling up has room again');
    }
  });
  return {
    get filling() {
      if (filling.size === 0) return undefined;
      return [...filling].map((stream) => `${stream} ${percent(used.get(stream) ?? 0)} %`).join(', ');
    },
    [Symbol.asyncDispose]: () => reading[Symbol.asyncDispose](),
  };
}

function percent(ratio: number): number {
  return Math.round(100 * ratio);
}
