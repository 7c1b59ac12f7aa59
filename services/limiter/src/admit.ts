import {
  type Call,
  type EventBody,
  Fault,
  type Limit,
  type LimitsEntry,
  limits,
  type Statement,
  type Tool,
} from '@interlock/contracts';
import { assertInTime, assertVersion } from '@interlock/gate';
import type { Charge, ChargeAnswer } from './charge.ts';
import { counterKey } from './keys.ts';
import { obligedCharges } from './obligations.ts';
import { budgetMicrosOf, spendMicros, unitsOf } from './spend.ts';
import { windowOf } from './window.ts';

/** What is known when a call is admitted. Everything here is a verified entry. */
export interface AdmitFacts {
  limits: LimitsEntry;
  /** The tool in the version that was decided, or what the leader has instead. */
  tool: Tool | undefined;
  /** Why the call may not go on, if a kill switch is on for it. */
  blocked: Fault | undefined;
}

/** What must be charged for a call before it may go on. */
export interface ChargePlan {
  charges: Charge[];
  holdMs: number;
  rememberMs: number;
}

/**
 * A slot that Redis lost may be in use this long: until the latest start of a call that was admitted just before, and
 * for the longest claim.
 */
const SLOT_UNKNOWN_MS = limits.approvedCallMs + limits.claimMs;
/** An answer is remembered longer than the call by more than any delivery can be late. */
const REMEMBER_LONGER_MS = 60_000;

/**
 * Returns what must be charged so that a decided call may start.
 * Throws the Fault that refuses it: `deadline_passed`, `killed`, `tool_changed`, `spend_amount_missing`,
 * `spend_limited` or `obligation_unknown`.
 */
export function planCharges(
  decision: Statement<'decision'>,
  call: Pick<Call, 'arguments'>,
  { limits: applied, tool: known, blocked }: AdmitFacts,
  nowMs: number,
): ChargePlan {
  assertInTime(decision, nowMs);
  if (blocked !== undefined) throw blocked;
  const tool = assertVersion(known, decision);
  const configured = applied.limits
    .filter((limit) => applies(limit, decision))
    .flatMap((limit) => chargesOf(limit, { decision, call, tool, nowMs }));
  const charges = [...configured, ...obligedCharges(decision, nowMs)];
  const holdMs = decision.notAfter - nowMs + tool.claimMs;
  return { charges, holdMs, rememberMs: holdMs + REMEMBER_LONGER_MS };
}

/**
 * Returns what the event `admitted` says was charged.
 * Throws the Fault that refuses the call: `rate_limited`, `concurrency_limited` or `spend_limited`.
 */
export function concludeCharges(
  charges: Charge[],
  answer: Exclude<ChargeAnswer, { kind: 'new_epoch' }>,
): EventBody<'admitted'>['charges'] {
  if (answer.kind === 'refused') throw overLimit(charges[answer.index], answer);
  return charges.map(({ limit, ...charge }, index) => {
    const left = answer.left[index] ?? 0;
    return charge.kind === 'spend' || charge.kind === 'volume'
      ? { limit, kind: charge.kind, amount: unitsOf(charge.amountMicros), left: unitsOf(left) }
      : { limit, kind: charge.kind, amount: 1, left };
  });
}

function applies({ match }: Limit, decision: Statement<'decision'>): boolean {
  return (['tenant', 'agent', 'user', 'tool'] as const).every(
    (dimension) => match[dimension] === undefined || match[dimension] === decision[dimension],
  );
}

interface Charged {
  decision: Statement<'decision'>;
  call: Pick<Call, 'arguments'>;
  tool: Tool;
  nowMs: number;
}

function chargesOf(limit: Limit, { decision, call, tool, nowMs }: Charged): Charge[] {
  const { name, rate, concurrency, spend } = limit;
  const charges: Charge[] = [];
  if (rate !== undefined)
    charges.push({ limit: name, key: counterKey('rate', limit, decision), kind: 'rate', ...rate });
  if (concurrency !== undefined)
    charges.push({
      limit: name,
      key: counterKey('concurrency', limit, decision),
      kind: 'concurrency',
      slots: concurrency,
      unknownMs: SLOT_UNKNOWN_MS,
    });
  if (spend !== undefined && mustSpend(limit, tool))
    charges.push({
      limit: name,
      key: counterKey('spend', limit, decision),
      kind: 'spend',
      amountMicros: amountOf(call, tool),
      budgetMicros: budgetMicrosOf(spend.amount),
      ...windowOf(spend, nowMs),
    });
  return charges;
}

/** A tool without `spends` spends nothing, unless it has the label `spends` or the limit names this very tool. */
function mustSpend({ match }: Limit, tool: Tool): boolean {
  return tool.spends !== undefined || tool.labels.includes('spends') || match.tool !== undefined;
}

function amountOf(call: Pick<Call, 'arguments'>, tool: Tool): number {
  if (tool.spends === undefined) throw new Fault('spend_amount_missing');
  return spendMicros(call.arguments, tool.spends);
}

function overLimit(
  charge: Charge | undefined,
  { waitMs, lostAtMs }: Extract<ChargeAnswer, { kind: 'refused' }>,
): Fault {
  if (charge === undefined) return new Fault('internal');
  const options = { rule: `limits/${charge.limit}`, retryAfterMs: waitMs };
  const lost =
    lostAtMs === undefined
      ? ''
      : ` The counters were lost at ${new Date(lostAtMs).toISOString()}, so all of it counts as used before then.`;
  switch (charge.kind) {
    case 'rate':
      return new Fault('rate_limited', {
        ...options,
        detail: `Limit ${charge.limit}: at most ${charge.calls} calls in ${charge.windowMs} ms.${lost}`,
      });
    case 'concurrency':
      return new Fault('concurrency_limited', {
        ...options,
        detail: `Limit ${charge.limit}: at most ${charge.slots} calls at once.${lost}`,
      });
    case 'spend':
    case 'volume':
      return new Fault('spend_limited', {
        ...options,
        detail: `Limit ${charge.limit}: the budget of ${unitsOf(charge.budgetMicros)} for this ${'day' in charge ? `day (${charge.day})` : 'window'} has not enough left for this call.${lost}`,
      });
    default:
      return charge satisfies never;
  }
}
