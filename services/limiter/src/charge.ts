/**
 * Charges a call to all its limits at once, and releases what it holds.
 *
 * C1. All or nothing: the script checks every counter before it writes to any.
 * C2. Keyed by call: the answer is stored with the charges, so a second run for the same call returns the first answer.
 * C3. Time is Redis's own, and everything before its epoch counts as charged.
 */
import { z } from 'zod';
import { callKey, epochKey } from './keys.ts';
import { type RedisConnection, scriptOf } from './redis.ts';

/** What one counter is charged for a call. Amounts are in whole millionths, so that sums are exact. */
export type Charge = { limit: string; key: string } & (
  | { kind: 'rate'; calls: number; windowMs: number }
  | { kind: 'concurrency'; slots: number; unknownMs: number }
  | ({ kind: 'spend' | 'volume'; amountMicros: number; budgetMicros: number } & Window)
);

/** Windows begin at multiples of their length since 1970, or with each day of a time zone. */
export type Window =
  | { windowMs: number }
  | {
      day: string;
      /** When days around now begin, ascending: Redis says which one it is. */
      days: readonly number[];
    };

export interface ChargeRequest {
  /** The epoch whose marker must still be in Redis. */
  epoch: string;
  tenant: string;
  call: string;
  charges: Charge[];
  /** How long a slot is held at most: until nothing of the call can be under way. */
  holdMs: number;
  /** How long the answer is remembered. */
  rememberMs: number;
}

/**
 * `left` and `index` follow the order of the charges. `lostAtMs`: what was charged before then is not known, and counts as
 * all of the limit. `new_epoch`: Redis lost its counters, and nothing was charged.
 */
export type ChargeAnswer =
  | { kind: 'admitted'; left: number[] }
  | { kind: 'refused'; index: number; waitMs: number; lostAtMs?: number }
  | { kind: 'new_epoch' };

/** Charges a call to all its limits, or to none. Throws `dependency_unavailable`. */
export async function charge(redis: RedisConnection, request: ChargeRequest): Promise<ChargeAnswer> {
  const { epoch, tenant, call, charges, holdMs, rememberMs } = request;
  const answer = await redis.run(
    chargeScript,
    [epochKey, callKey(tenant, call), ...charges.map(({ key }) => key)],
    [epoch, `${tenant}.${call}`, `${holdMs}`, `${rememberMs}`, JSON.stringify(charges)],
  );
  return answerSchema.parse(answer.split(' '));
}

/**
 * Releases a call's slots, and refunds what it was to spend if it was refused. Harmless when repeated: the record of
 * what a call holds is removed with the release. Throws `dependency_unavailable`; a slot then expires.
 */
export async function release(
  redis: RedisConnection,
  { tenant, call }: { tenant: string; call: string },
  step: 'settled' | 'refused',
): Promise<void> {
  await redis.run(releaseScript, [callKey(tenant, call)], [`${tenant}.${call}`, step]);
}

const numberSchema = z.coerce.number().int();

const answerSchema = z.union([
  z
    .tuple([z.literal('admitted')], numberSchema)
    .transform(([, ...left]) => ({ kind: 'admitted' as const, left })),
  z
    .tuple([z.literal('refused'), numberSchema, numberSchema])
    .transform(([, index, waitMs]) => ({ kind: 'refused' as const, index, waitMs })),
  z
    .tuple([z.literal('refused'), numberSchema, numberSchema, numberSchema])
    .transform(([, index, waitMs, lostAtMs]) => ({ kind: 'refused' as const, index, waitMs, lostAtMs })),
  z.tuple([z.literal('new_epoch')]).transform(() => ({ kind: 'new_epoch' as const })),
]);

const chargeScript = scriptOf(`
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
-- C3
local epoch = redis.call('HMGET', KEYS[1], 'id', 'startedAt')
if epoch[1] ~= ARGV[1] then return 'new_epoch' end
local startedAt = tonumber(epoch[2])
-- C2
local first = redis.call('HGET', KEYS[2], 'answer')
if first then return first end
local member, holdMs, rememberMs = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

-- C1. Each check returns what is left after the charge and how to write it; or nil, how long to wait, and whether the
-- past of the counter is lost.
local function rate(key, charge)
  local bucket = redis.call('HMGET', key, 'tokens', 'at')
  local tokens, at = tonumber(bucket[1] or 0), tonumber(bucket[2] or 0)
  local isLost = startedAt > 0 and at < startedAt
  if at < startedAt or not bucket[2] then tokens, at = 0, startedAt end
  tokens = math.min(charge.calls, tokens + math.max(0, now - at) * charge.calls / charge.windowMs)
  if tokens < 1 then return nil, (1 - tokens) * charge.windowMs / charge.calls, isLost end
  return math.floor(tokens - 1), function()
    redis.call('HSET', key, 'tokens', string.format('%.17g', tokens - 1), 'at', string.format('%.3f', math.max(at, now)))
    redis.call('PEXPIRE', key, charge.windowMs + 60000)
  end
end

local function concurrency(key, charge)
  local unknownUntil = startedAt + charge.unknownMs
  if startedAt > 0 and now < unknownUntil then return nil, unknownUntil - now, true end
  local used = redis.call('ZCOUNT', key, '(' .. string.format('%.3f', now), '+inf')
  if used >= charge.slots then return nil, 1000 end
  return charge.slots - used - 1, function()
    redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.3f', now))
    redis.call('ZADD', key, string.format('%.3f', now + holdMs), member)
    local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
    redis.call('PEXPIRE', key, string.format('%.0f', math.max(1, last[2] - now) + 1000))
    return { kind = 'concurrency', key = key }
  end
end

local function windowOf(charge)
  if charge.windowMs then
    local start = math.floor(now / charge.windowMs) * charge.windowMs
    return start, charge.windowMs
  end
  for index, start in ipairs(charge.days) do
    local following = charge.days[index + 1]
    if following and now >= start and now < following then return start, following - start end
  end
  error('the clock of Redis is days away from that of the limiter')
end

local function spend(key, charge)
  local stored = redis.call('HMGET', key, 'window', 'spent')
  local window, length = windowOf(charge)
  local spent = 0
  -- A window later than the clock's means that the clock was set back: the later window goes on.
  if stored[1] and tonumber(stored[1]) >= window then window, spent = tonumber(stored[1]), tonumber(stored[2]) end
  local amount = charge.amountMicros
  if amount > 0 and (startedAt > window or spent + amount > charge.budgetMicros) then
    return nil, window + length - now, startedAt > window
  end
  return math.max(0, charge.budgetMicros - spent - amount), function()
    local name = string.format('%.0f', window)
    redis.call('HSET', key, 'window', name, 'spent', string.format('%.0f', spent + amount))
    redis.call('PEXPIRE', key, string.format('%.0f', window + length - now + 60000))
    return { kind = 'spend', key = key, window = name, amount = string.format('%.0f', amount) }
  end
end

local checks = { rate = rate, concurrency = concurrency, spend = spend, volume = spend }
local answer, writes, worst = 'admitted', {}, -1
for index, charge in ipairs(cjson.decode(ARGV[5])) do
  local left, more, isLost = checks[charge.kind](KEYS[index + 2], charge)
  if left then
    answer = worst < 0 and answer .. ' ' .. string.format('%.0f', left) or answer
    writes[index] = more
  elseif more > worst then
    worst = more
    answer = 'refused ' .. (index - 1) .. ' ' .. string.format('%.0f', math.max(1, math.ceil(more)))
    if isLost then answer = answer .. ' ' .. string.format('%.0f', math.floor(startedAt)) end
  end
end
local held = {}
if worst < 0 then
  for _, write in ipairs(writes) do
    local holding = write()
    if holding then table.insert(held, holding) end
  end
end
redis.call('HSET', KEYS[2], 'answer', answer)
if #held > 0 then redis.call('HSET', KEYS[2], 'held', cjson.encode(held)) end
redis.call('PEXPIRE', KEYS[2], rememberMs)
return answer
`);

// The keys of the counters are in the call's record. They carry the same hash tag as the record's own key.
const releaseScript = scriptOf(`
local held = redis.call('HGET', KEYS[1], 'held')
if not held then return 'nothing' end
for _, holding in ipairs(cjson.decode(held)) do
  if holding.kind == 'concurrency' then
    redis.call('ZREM', holding.key, ARGV[1])
  elseif ARGV[2] == 'refused' and redis.call('HGET', holding.key, 'window') == holding.window then
    local spent = tonumber(redis.call('HGET', holding.key, 'spent')) - tonumber(holding.amount)
    redis.call('HSET', holding.key, 'spent', string.format('%.0f', math.max(0, spent)))
  end
end
redis.call('HDEL', KEYS[1], 'held')
return 'released'
`);
