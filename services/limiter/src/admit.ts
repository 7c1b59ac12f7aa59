import {
  type Call,
  type EventBody,
  Fault,
  limits as house,
  type Limit,
  type LimitsEntry,
  type Statement,
  sha256,
  type Tool,
} from '@interlock/contracts';
import { counterKey } from './keys.ts';
import { obligedCharges } from './obligations.ts';
import { budgetMicrosOf, spendMicros, unitsOf } from './spend.ts';
import type { Charge, TakeAnswer } from './take.ts';

/** What is known when a call is admitted. Everything here is a verified entry. */
export interface AdmitFacts {
  limits: LimitsEntry;
  tool: { definition: Tool; version: string } | undefined;
  /** The key of a kill switch that is on for the call. */
  killed: string | undefined;
}

/** What is to be taken for a call before it may go on. */
export interface Plan {
  charges: Charge[];
  holdMs: number;
  rememberMs: number;
}

/**
 * A slot lost with Redis's memory may be in use this long: the latest start of a call that was just let through, and
 * the longest claim.
 */
const SLOT_UNKNOWN_MS = house.approvedCallMs + house.claimMs;
/** An answer outlives the call by more than any delivery can be late. */
const REMEMBER_LONGER_MS = 60_000;

/**
 * Returns what must be taken so that a decided call may start.
 * Throws the Fault that refuses it: `deadline_passed`, `killed`, `tool_changed`, `statement_invalid`,
 * `spend_amount_missing`, `spend_limited` or `obligation_unknown`.
 */
export function planCharge(
  decision: Statement<'decision'>,
  call: Call,
  { limits, tool, killed }: AdmitFacts,
  nowMs: number,
): Plan {
  if (decision.notAfter <= nowMs) throw new Fault('deadline_passed');
  if (killed !== undefined) throw new Fault('killed', { rule: `switches/${killed}` });
  if (tool === undefined || tool.version !== decision.toolVersion) throw new Fault('tool_changed');
  const { definition } = tool;
  const configured = limits.limits
    .filter((limit) => applies(limit, decision))
    .flatMap((limit) => takingsOf(limit, decision, call, definition));
  const charges = [...configured, ...obligedCharges(decision)];
  const holdMs = decision.notAfter - nowMs + definition.claimMs;
  return { charges, holdMs, rememberMs: holdMs + REMEMBER_LONGER_MS };
}

/**
 * Returns what the event `admitted` says was taken.
 * Throws the Fault that refuses the call: `rate_limited`, `concurrency_limited` or `spend_limited`.
 */
export function concludeCharge(
  charges: Charge[],
  answer: Exclude<TakeAnswer, { kind: 'new_epoch' }>,
): EventBody<'admitted'>['charges'] {
  if (answer.kind === 'refused') throw overLimit(charges[answer.index], answer.waitMs);
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

function takingsOf(limit: Limit, decision: Statement<'decision'>, call: Call, tool: Tool): Charge[] {
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
  if (spend !== undefined && mustSay(limit, tool))
    charges.push({
      limit: name,
      key: counterKey('spend', limit, decision),
      kind: 'spend',
      amountMicros: amountOf(decision, call, tool),
      budgetMicros: budgetMicrosOf(spend.amount),
      windowMs: spend.windowMs,
    });
  return charges;
}

/** A tool that says nothing of spending spends nothing, unless its label or a limit on this very tool says otherwise. */
function mustSay({ match }: Limit, tool: Tool): boolean {
  return tool.spends !== undefined || tool.labels.includes('spends') || match.tool !== undefined;
}

function amountOf(decision: Statement<'decision'>, call: Call, tool: Tool): number {
  if (tool.spends === undefined) throw new Fault('spend_amount_missing');
  if (sha256(call.arguments) !== decision.argumentsDigest)
    throw new Fault('statement_invalid', { detail: 'The decision is about other arguments.' });
  return spendMicros(call.arguments, tool.spends);
}

function overLimit(charge: Charge | undefined, waitMs: number): Fault {
  if (charge === undefined) return new Fault('internal');
  const options = { rule: `limits/${charge.limit}`, retryAfterMs: waitMs };
  switch (charge.kind) {
    case 'rate':
      return new Fault('rate_limited', {
        ...options,
        detail: `Limit ${charge.limit}: at most ${charge.calls} calls in ${charge.windowMs} ms.`,
      });
    case 'concurrency':
      return new Fault('concurrency_limited', {
        ...options,
        detail: `Limit ${charge.limit}: at most ${charge.slots} calls at once.`,
      });
    case 'spend':
    case 'volume':
      return new Fault('spend_limited', {
        ...options,
        detail: `Limit ${charge.limit}: the budget of ${unitsOf(charge.budgetMicros)} for this window does not hold this call.`,
      });
    default:
      return charge satisfies never;
  }
}
