import type { Bus } from '@interlock/bus';
import { Fault, limits, type Settled, sealContext } from '@interlock/contracts';
import { seal } from '@interlock/keys';
import { BackOff } from '@interlock/shell';
import { type Body, type Effect, settledOf } from './effect.ts';
import type { Parts, Task } from './task.ts';

/** What of a task settling it needs. */
type SettledTask = Pick<Task, 'claim' | 'tool' | 'sequence' | 'guard'>;

/** Waits between attempts to settle: NATS answers again within seconds or not before the limit. */
const RETRY_MS = 100;
const RETRY_MAX_MS = 2_000;

interface SettleParts extends Pick<Parts, 'keyring' | 'clock'> {
  log: Pick<Parts['log'], 'warn'>;
  bus: Pick<Bus, 'sendResult' | 'blobs' | 'settle' | 'readStep'>;
  orphans: Pick<Parts['orphans'], 'settled'>;
}

/**
 * Publishes a call's body, keeps it where asked for, and settles the claim. The body goes first: whoever reads the
 * outcome has it already. Throws `dependency_unavailable` when the claim's limit passed and it is not known
 * whether the outcome was stored; then the call settles as an orphan.
 */
export async function settleTask(task: SettledTask, effect: Effect, parts: SettleParts): Promise<void> {
  const { claim, tool } = task;
  const body = effect.outcome === 'unknown' ? undefined : effect.body;
  if (body !== undefined && body.bytes.byteLength > 0)
    parts.bus.sendResult(claim.replyTo, claim.call, body.bytes);
  const kept = claim.keepResult && body !== undefined && (await keep(task, body, parts));
  const settled = settledOf(claim, effect, { nowMs: parts.clock.nowMs(), labels: tool.labels, kept });
  await settleUntilLimit(task, settled, parts);
}

/** Keeps a body for a later request, encrypted for ingress alone. A second run writes the same body again. */
async function keep(
  { claim: { tenant, call } }: SettledTask,
  { bytes }: Body,
  parts: SettleParts,
): Promise<boolean> {
  try {
    const readers = parts.keyring.sealKeysOf('ingress', parts.clock.nowMs());
    const sealed = seal(bytes.subarray(0, limits.resultBytes), readers, sealContext('result', call));
    await parts.bus.blobs('results').put(`${tenant}.${call}`, Buffer.from(JSON.stringify(sealed)));
    return true;
  } catch (cause) {
    // The outcome is worth more than its body: it is settled as not kept.
    parts.log.warn({ err: cause, call }, 'a result could not be kept; the call is settled without it');
    return false;
  }
}

async function settleUntilLimit(task: SettledTask, settled: Settled, parts: SettleParts): Promise<void> {
  const backOff = new BackOff({ firstMs: RETRY_MS, maxMs: RETRY_MAX_MS });
  for (;;) {
    try {
      // The instant of this attempt: the clock may have been wrong at an earlier one, which the bus refused for that.
      const { stored } = await parts.bus.settle({ ...settled, at: parts.clock.nowMs() }, task.sequence);
      if (!stored) await logOtherOutcome(task, settled, parts);
      parts.orphans.settled(task.claim);
      return;
    } catch (cause) {
      const passing = cause instanceof Fault && cause.code === 'dependency_unavailable';
      if (!passing || task.guard.leftMs() === 0) throw cause;
    }
    await parts.clock.sleep(backOff.next());
  }
}

/** The call is settled: by our own earlier attempt whose acknowledgement was lost, or by another executor. */
async function logOtherOutcome(
  { claim }: SettledTask,
  settled: Settled,
  { bus, log }: SettleParts,
): Promise<void> {
  const stands = await bus.readStep('settled', claim.tenant, claim.call);
  if (stands?.body.executor === settled.executor && stands.body.outcome === settled.outcome) return;
  log.warn(
    { call: claim.call, outcome: settled.outcome, stands: stands?.body.outcome },
    'another executor settled this call',
  );
}
