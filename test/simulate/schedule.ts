/**
 * What happens in one round: which calls are made when, and which faults meet them. Everything is drawn from the seed, so
 * a seed that broke a promise is a report that anybody can repeat.
 */
import { type ServiceName, services } from '@interlock/contracts';
import { Random } from './random.ts';

/** More than a person's agents would make; an installation on two processors answers them. */
const CALLS_PER_SECOND = 50;
const LEAD_MS = 500;
const FAULTS_MIN = 3;
const FAULTS_MAX = 7;
/** A fault lasts this long at most: services must still recover within ten seconds of its end. */
const FAULT_MAX_MS = 4_000;
const SERVERS = ['nats-server', 'redis-server', 'ferretdb'] as const;
/** A question that nobody answers is put in this part of a round, so that the round need not wait for its end. */
const UNANSWERED_WITHIN = 0.2;
const HOUR_MS = 3_600_000;
/** What two hosts of one installation may differ by, and what a service must not work with. */
const OFFSETS_MS = [-1_500, -700, 700, 1_500, -24 * HOUR_MS, -2 * HOUR_MS, 2 * HOUR_MS, 24 * HOUR_MS];

/** What becomes of a question: it is answered at once, after the last fault, or never. */
export type Reply = 'approve' | 'deny' | 'approve late' | 'deny late' | 'none';

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

/** How often each kind is drawn: one that stops everything, or that weakens what can be promised, is drawn less often. */
const weights = {
  kill: 4,
  pause: 3,
  cut: 2,
  stall: 3,
  'empty-redis': 1,
  'disk-full': 3,
  'slow-disk': 3,
  clock: 3,
  'power-cut': 1,
  'set-back': 1,
} as const;
export type FaultKind = keyof typeof weights;
const isKind = (name: string): name is FaultKind => Object.hasOwn(weights, name);
export const faultKinds: readonly FaultKind[] = Object.keys(weights).filter(isKind);

export interface PlannedFault {
  atMs: number;
  kind: FaultKind;
  /** A service or a server; the one whose connection to NATS is meant for `cut` and `stall`; else what is hit. */
  target: string;
  /** How long it lasts; 0 for what happens at one instant. For `set-back`, how old the copy is. */
  forMs: number;
  /** For `clock`, how far the clock is from the right time. */
  offsetMs: number;
}

export interface Schedule {
  seed: number;
  calls: PlannedCall[];
  faults: PlannedFault[];
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
  };
}

function drawCall(random: Random, text: string, spanMs: number): PlannedCall {
  const keyed = random.chance(0.8);
  const reply = random.pick<Reply>(['approve', 'approve', 'deny', 'approve late', 'deny late', 'none']);
  const tool = random.pick<PlannedCall['tool']>([
    ...(['write', 'write', 'write', 'idem', 'idem', 'slow', 'ask', 'bare'] as const),
  ]);
  const within = tool === 'ask' && reply === 'none' ? UNANSWERED_WITHIN : 1;
  return {
    atMs: LEAD_MS + Math.floor(random.next() * spanMs * within),
    tool,
    text,
    keyed,
    copies: keyed && random.chance(0.15) ? random.between(2, 4) : 1,
    reply,
  };
}

function drawFault(random: Random, kinds: readonly FaultKind[], spanMs: number): PlannedFault {
  const kind = drawKind(random, kinds);
  const atMs = LEAD_MS + Math.floor(random.next() * spanMs);
  const forMs = random.between(300, FAULT_MAX_MS);
  const service: ServiceName = random.pick(services.filter((name) => name !== 'provisioner'));
  const fault = { atMs, kind, target: service, forMs, offsetMs: 0 };
  switch (kind) {
    case 'kill':
      return { ...fault, target: random.chance(0.3) ? random.pick(SERVERS) : service, forMs: 0 };
    case 'pause':
      return { ...fault, target: random.chance(0.4) ? random.pick(SERVERS) : service };
    case 'cut':
      return { ...fault, forMs: 0 };
    case 'stall':
      return fault;
    case 'clock':
      return { ...fault, offsetMs: random.pick(OFFSETS_MS) };
    case 'empty-redis':
      return { ...fault, target: 'redis-server', forMs: 0 };
    case 'disk-full':
      return { ...fault, target: random.pick(['nats-server', 'everything']) };
    case 'slow-disk':
      return { ...fault, target: 'everything' };
    case 'power-cut':
      return { ...fault, target: 'everything', forMs: 0 };
    case 'set-back':
      return { ...fault, target: random.pick(SERVERS) };
    default:
      return kind satisfies never;
  }
}

function drawKind(random: Random, kinds: readonly FaultKind[]): FaultKind {
  return random.pick(kinds.flatMap((kind) => Array.from({ length: weights[kind] }, () => kind)));
}
