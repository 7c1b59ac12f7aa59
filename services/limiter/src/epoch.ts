/**
 * Limiter epochs: whether Redis still has everything that was ever charged (docs/decisions/009).
 *
 * An epoch is a time through which Redis lost nothing. Redis holds its marker {id, startedAt, runId, after}; NATS
 * holds, durably, the id of the epoch we count in.
 *
 * R1. Where neither holds anything, nothing was ever charged: the first epoch starts at 0, and Redis lacks nothing.
 * R2. Where they differ, or the server restarted without keeping every write, charges may be lost: a new epoch starts
 *     now, and every counter is read as if all had been used up until then.
 * R3. Nothing is charged in an epoch that NATS does not hold, and the charge script checks the id again, so an emptied
 *     Redis is noticed by the very next charge.
 * R4. Replicas race safely: the marker is replaced by comparison, the record by revision, and the loser reads again.
 */
import type { Records } from '@interlock/bus';
import { Fault, idSchema, newId } from '@interlock/contracts';
import { z } from 'zod';
import { epochKey } from './keys.ts';
import { type RedisConnection, type RedisServer, scriptOf } from './redis.ts';

/** The epoch we count in, as NATS holds it: bucket `epochs`, key `redis`. */
export const epochSchema = z.strictObject({ id: idSchema });
export type Epoch = z.infer<typeof epochSchema>;

const RECORD = 'redis';
/** An attempt that ends without an answer was won by another replica, which then has one. */
const ATTEMPTS_MAX = 10;

/** The epoch that Redis and NATS agree on. */
export interface AgreedEpoch {
  id: string;
  /** When counters were last lost; undefined where none ever were. */
  lostAtMs: number | undefined;
}

/**
 * Returns the epoch to count in, after making sure that Redis and NATS agree on it.
 * Throws `dependency_unavailable` when either does not answer.
 */
export async function confirmEpoch(
  redis: RedisConnection,
  epochs: Records<Epoch>,
  server: RedisServer,
): Promise<AgreedEpoch> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const recorded = await epochs.get(RECORD);
    const marker = await readMarker(redis);
    if (recorded === undefined) {
      if (marker === undefined)
        await putMarker(redis, { replaces: '', id: newId('epoch'), startedAt: '0', after: '' }, server);
      else await epochs.put(RECORD, { id: marker.id }, 0);
    } else if (marker !== undefined && isUnrecorded(marker, recorded.value.id, server)) {
      await epochs.put(RECORD, { id: marker.id }, recorded.revision);
    } else if (marker?.id !== recorded.value.id || !isWhole(marker, server)) {
      await putMarker(
        redis,
        { replaces: marker?.id ?? '', id: newId('epoch'), startedAt: 'now', after: recorded.value.id },
        server,
      );
    } else if (marker.runId === server.runId) {
      return { id: marker.id, lostAtMs: marker.startedAtMs === 0 ? undefined : marker.startedAtMs };
    } else {
      await putMarker(redis, { replaces: marker.id, id: marker.id, startedAt: 'same', after: '' }, server);
    }
  }
  throw new Fault('dependency_unavailable', {
    detail: 'The limiters do not agree yet on the epoch of Redis. Nothing was charged.',
  });
}

/** A marker of this run that succeeds the recorded epoch: the replica that made it has not recorded it yet, or stopped. */
function isUnrecorded(marker: Marker, recordedId: string, { runId }: RedisServer): boolean {
  return marker.after === recordedId && marker.runId === runId;
}

/** Whether Redis has every write of its epoch. */
function isWhole(marker: Marker, server: RedisServer): boolean {
  return marker.runId === server.runId || server.keepsEveryWrite;
}

/** True when Redis still holds the marker of an epoch. Throws `dependency_unavailable`. */
export async function holdsEpoch(redis: RedisConnection, id: string): Promise<boolean> {
  return (await readMarker(redis))?.id === id;
}

async function readMarker(redis: RedisConnection): Promise<Marker | undefined> {
  const [id, runId, startedAt, after] = (await redis.run(readScript, [epochKey], [])).split(' ');
  if (id === undefined || runId === undefined || after === undefined) return undefined;
  return { id, runId, startedAtMs: Math.floor(Number(startedAt)), after };
}

async function putMarker(
  redis: RedisConnection,
  {
    replaces,
    id,
    startedAt,
    after,
  }: { replaces: string; id: string; startedAt: '0' | 'now' | 'same'; after: string },
  { runId }: RedisServer,
): Promise<void> {
  await redis.run(putScript, [epochKey], [replaces, id, runId, startedAt, after]);
}

const readScript = scriptOf(`
local marker = redis.call('HMGET', KEYS[1], 'id', 'runId', 'startedAt', 'after')
if not marker[1] then return '' end
return table.concat(marker, ' ')
`);

const putScript = scriptOf(`
local replaces, id, runId, startedAt, after = unpack(ARGV)
if (redis.call('HGET', KEYS[1], 'id') or '') ~= replaces then return 'kept' end
if startedAt == 'now' then
  local time = redis.call('TIME')
  startedAt = string.format('%.3f', time[1] * 1000 + time[2] / 1000)
end
if startedAt ~= 'same' then redis.call('HSET', KEYS[1], 'startedAt', startedAt) end
redis.call('HSET', KEYS[1], 'id', id, 'runId', runId, 'after', after)
return 'put'
`);

interface Marker {
  id: string;
  runId: string;
  /** 0 for the first epoch, before which nothing was charged. */
  startedAtMs: number;
  /** The recorded epoch it succeeds; empty where there was none. */
  after: string;
}
