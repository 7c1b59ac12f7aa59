/**
 * What happens in one round: which calls are made when, and which faults meet them. Everything is drawn from the seed, so
 * a seed that broke a promise is a report that anybody can repeat.
 */
import { type ServiceName, services } from '@interlock/contracts';
import { Random } from './random.ts';

/** Calls are spread over this long, at the rate that a person's agents would make. */
const CALLS_PER_SECOND = 25;
const LEAD_MS = 500;
const FAULTS_MIN = 3;
const FAULTS_MAX = 7;
/** A fault lasts this long at most: services must still recover within ten seconds of its end. */
const FAULT_MAX_MS = 4_000;
const SERVERS = ['nats-server', 'redis-server', 'ferretdb'] as const;

/** What becomes of a question: a person approves it, denies it, or leaves it until it expires. */
export type Reply = 'approve' | 'deny' | 'none';

export interface PlannedCall {
  atMs: number;
  tool: 'write' | 'idem' | 'slow' | 'ask' | 'bare';
  /** Marks the call at the upstream and in the audit. */
  text: string;
  /** Sent under an Idempotency-Key, and repeated under it until its outcome is known. */
  keyed: boolean;
  /** How many times the first request is sent at once. */
  copies: number;
  /** The reply to the question of an `ask`. */
  reply: Reply;
}

export type FaultKind = 'kill' | 'pause' | 'cut' | 'stall' | 'empty-redis' | 'disk-full';
export const faultKinds: readonly FaultKind[] = ['kill', 'pause', 'cut', 'stall', 'empty-redis', 'disk-full'];

export interface PlannedFault {
  atMs: number;
  kind: FaultKind;
  /** A service or a server; the one whose connection to NATS is meant for `cut` and `stall`. */
  target: string;
  /** How long it lasts; 0 for what happens at one instant. */
  forMs: number;
}

export interface Schedule {
  seed: number;
  calls: PlannedCall[];
  faults: PlannedFault[];
  /** The service whose wall clock is wrong, and by how much. */
  clock: { service: ServiceName; offsetMs: number } | undefined;
}

/** Draws a round. `kinds` are the faults it may hold. */
export function drawSchedule(
  seed: number,
  { calls, kinds }: { calls: number; kinds: readonly FaultKind[] },
): Schedule {
  const random = new Random(seed);
  const spanMs = (calls / CALLS_PER_SECOND) * 1_000;
  return {
    seed,
    calls: Array.from({ length: calls }, (_, index) => drawCall(random, `call-${seed}-${index}.`, spanMs)),
    faults: Array.from({ length: random.between(FAULTS_MIN, FAULTS_MAX) }, () =>
      drawFault(random, kinds, spanMs),
    ).sort((one, other) => one.atMs - other.atMs),
    clock: random.chance(0.3)
      ? { service: random.pick(['ingress', 'limiter', 'approver', 'executor']), offsetMs: drawOffset(random) }
      : undefined,
  };
}

function drawCall(random: Random, text: string, spanMs: number): PlannedCall {
  const keyed = random.chance(0.8);
  return {
    atMs: LEAD_MS + Math.floor(random.next() * spanMs),
    tool: random.pick(['write', 'write', 'write', 'idem', 'idem', 'slow', 'ask', 'bare']),
    text,
    keyed,
    copies: keyed && random.chance(0.15) ? random.between(2, 4) : 1,
    reply: random.pick(['approve', 'approve', 'deny', 'none']),
  };
}

function drawFault(random: Random, kinds: readonly FaultKind[], spanMs: number): PlannedFault {
  const kind = random.pick(kinds);
  const atMs = LEAD_MS + Math.floor(random.next() * spanMs);
  const forMs = random.between(300, FAULT_MAX_MS);
  const service = random.pick(services.filter((name) => name !== 'provisioner'));
  switch (kind) {
    case 'kill':
      return { atMs, kind, target: random.chance(0.3) ? random.pick(SERVERS) : service, forMs: 0 };
    case 'pause':
      return { atMs, kind, target: random.chance(0.4) ? random.pick(SERVERS) : service, forMs };
    case 'cut':
      return { atMs, kind, target: service, forMs: 0 };
    case 'stall':
      return { atMs, kind, target: service, forMs };
    case 'empty-redis':
      return { atMs, kind, target: 'redis-server', forMs: 0 };
    case 'disk-full':
      return { atMs, kind, target: 'nats-server', forMs };
    default:
      return kind satisfies never;
  }
}

/** Less than what two hosts of one installation may differ by. */
function drawOffset(random: Random): number {
  return random.pick([-1_500, -700, 700, 1_500]);
}
