import { type AgentEntry, Fault, idSchema } from '@interlock/contracts';
import type { Answer } from './answer.ts';
import { answerEnding, type Ending, type EndingParts } from './ending.ts';
import { originOf, readStanding, type Standing, type StandingSources, standingOfEvent } from './standing.ts';
import type { Waiter, Waits } from './waits.ts';

export type LookUpParts = StandingSources & EndingParts & { waits: Pick<Waits, 'open' | 'has'> };

/**
 * Answers an agent about one of its own calls, after waiting up to `waitMs` for the outcome.
 * Throws `id_invalid`, `call_unknown` or `dependency_unavailable`.
 */
export async function lookUp(
  { tenant, agent }: AgentEntry,
  id: string,
  waitMs: number,
  parts: LookUpParts,
): Promise<Answer> {
  // Checked before it becomes part of a subject or a key.
  const call = idSchema.safeParse(id);
  if (!call.success) throw new Fault('id_invalid');
  using waiter = parts.waits.open({ tenant, agent, call: call.data, making: false });
  const standing = await readStanding(waiter.waited, parts);
  if (!isOwn(standing, waiter, parts)) throw new Fault('call_unknown');
  return await answerEnding(await endingWithin(waitMs, standing, waiter, parts), waiter, parts);
}

/** A call of which nothing is stored yet is known to the replica that makes it. */
function isOwn(standing: Standing, { waited }: Waiter, { waits }: LookUpParts): boolean {
  const origin = originOf(standing);
  return origin === undefined ? waits.has(waited) : origin.agent === waited.agent;
}

async function endingWithin(
  waitMs: number,
  standing: Standing,
  waiter: Waiter,
  parts: LookUpParts,
): Promise<Ending> {
  const ending = endingNow(standing);
  if (ending.kind === 'settled' || ending.kind === 'refused' || waitMs === 0) return ending;
  const event = await waiter.next(waitMs, false);
  return endingNow(event === undefined ? await readStanding(waiter.waited, parts) : standingOfEvent(event));
}

function endingNow(standing: Standing): Ending {
  switch (standing.kind) {
    case 'settled':
    case 'refused':
    case 'held':
      return standing;
    case 'absent':
    case 'started':
    case 'resolved':
      return { kind: 'running' };
    default:
      return standing satisfies never;
  }
}
