/** Waiting for processes: until their services have started, until they are ready. */
import { services } from '@interlock/contracts';
import { Failure, systemClock } from '@interlock/shell';
import { SINGLE } from './services.ts';
import { endOfLog, type SupervisedProcess } from './supervise.ts';

/** A process that ended as often as this before it started will not start: its configuration is wrong. */
const STARTS_MAX = 3;
/** A slow machine loads a service in seconds; the first start also makes every stream. */
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
const PROBE_TIMEOUT_MS = 2_000;

/** Waits until every service of a process has started. Throws `service_failed` with the end of its log. */
export async function untilStarted(child: SupervisedProcess, signal: AbortSignal): Promise<void> {
  const expected = child.name === SINGLE ? services.length : 1;
  const endMs = systemClock.monotonicMs() + READY_TIMEOUT_MS;
  while (child.ready.length < expected) {
    signal.throwIfAborted();
    if (child.starts > STARTS_MAX) throw await serviceFailed(child, child.lastEnd);
    if (systemClock.monotonicMs() > endMs)
      throw await serviceFailed(child, `has not started after ${READY_TIMEOUT_MS / 1_000} s`);
    await systemClock.sleep(POLL_MS, signal);
  }
}

/** Waits until the readiness probe of every process answers 200. Throws `service_failed`. */
export async function untilReady(children: readonly SupervisedProcess[], signal: AbortSignal): Promise<void> {
  const endMs = systemClock.monotonicMs() + READY_TIMEOUT_MS;
  await Promise.all(
    children.map(async (child) => {
      while (!(await isReady(child))) {
        signal.throwIfAborted();
        if (systemClock.monotonicMs() > endMs)
          throw await serviceFailed(child, `is not ready after ${READY_TIMEOUT_MS / 1_000} s`);
        await systemClock.sleep(POLL_MS, signal);
      }
    }),
  );
}

async function isReady(child: SupervisedProcess): Promise<boolean> {
  const [first] = child.ready;
  if (first === undefined) return false;
  try {
    const response = await fetch(new URL('/readyz', first.healthUrl), {
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

async function serviceFailed(child: SupervisedProcess, how: string): Promise<Failure> {
  const [first] = child.ready;
  const probe = first === undefined ? '' : ` Its readiness probe is ${new URL('/readyz', first.healthUrl)}.`;
  const end = await endOfLog(child.spec);
  return new Failure('service_failed', `${child.name} ${how}. The end of its log:\n  ${end}`, {
    next: `Read its log, ${child.spec.logFile}.${probe}`,
  });
}
