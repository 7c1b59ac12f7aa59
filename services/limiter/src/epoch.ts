/**
 * Knows whether Redis remembers everything that was ever taken (docs/decisions/009).
 *
 * Redis holds a marker {id, bornAt, runId, after}; the bus holds, durably, the id of the marker we count under.
 * 1. Where neither is there, nothing was ever taken: the first marker is born at 0 and lacks nothing.
 * 2. Where they differ, or the server restarted without keeping every write, charges may be lost: a new marker is
 *    born now, and every counter is read as if all had been taken until then.
 * 3. Nothing is taken under an id the bus does not hold, and the charge script checks the id again, so an emptied
 *    Redis is noticed by the very next charge.
 * 4. Replicas race safely: markers are replaced by comparison, the record by revision, and the loser looks again.
 */
import type { Records } from '@interlock/bus';
import { Fault, idSchema, newId } from '@interlock/contracts';
import { z } from 'zod';
import { epochKey } from './keys.ts';
import { type RedisConnection, type RedisServer, scriptOf } from './redis.ts';

/** The bus's record of the marker we count under: bucket `epochs`, key `redis`. */
export const epochSchema = z.strictObject({ id: idSchema });
export type Epoch = z.infer<typeof epochSchema>;

const RECORD = 'redis';
/** Each round that ends without an answer was won by another replica, which then has one. */
const ROUNDS_MAX = 10;

/**
 * Returns the id of the marker to count under, after making sure that Redis and the bus agree on it.
 * Throws `dependency_unavailable` when either cannot be asked.
 */
export async function confirmEpoch(
  redis: RedisConnection,
  epochs: Records<Epoch>,
  server: RedisServer,
): Promise<string> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const recorded = await epochs.get(RECORD);
    const marker = await readMarker(redis);
    if (recorded === undefined) {
      if (marker === undefined)
        await putMarker(redis, { replaces: '', id: newId('epoch'), bornAt: '0', after: '' }, server);
      else await epochs.put(RECORD, { id: marker.id }, 0);
    } else if (marker !== undefined && isHalfDone(marker, recorded.value.id, server)) {
      await epochs.put(RECORD, { id: marker.id }, recorded.revision);
    } else if (marker?.id !== recorded.value.id || !remembers(marker, server)) {
      await putMarker(
        redis,
        { replaces: marker?.id ?? '', id: newId('epoch'), bornAt: 'now', after: recorded.value.id },
        server,
      );
    } else if (marker.runId === server.runId) {
      return marker.id;
    } else {
      await putMarker(redis, { replaces: marker.id, id: marker.id, bornAt: 'same', after: '' }, server);
    }
  }
  throw new Fault('dependency_unavailable', { detail: 'Replicas do not agree on what Redis remembers.' });
}

/** A marker made in this run after the recorded one, by a replica that has not recorded it yet or never will. */
function isHalfDone(marker: Marker, recordedId: string, { runId }: RedisServer): boolean {
  return marker.after === recordedId && marker.runId === runId;
}

function remembers(marker: Marker, server: RedisServer): boolean {
  return marker.runId === server.runId || server.keepsEveryWrite;
}

async function readMarker(redis: RedisConnection): Promise<Marker | undefined> {
  const [id, runId, after] = (await redis.run(readScript, [epochKey], [])).split(' ');
  return id === undefined || runId === undefined || after === undefined ? undefined : { id, runId, after };
}

async function putMarker(
  redis: RedisConnection,
  {
    replaces,
    id,
    bornAt,
    after,
  }: { replaces: string; id: string; bornAt: '0' | 'now' | 'same'; after: string },
  { runId }: RedisServer,
): Promise<void> {
  await redis.run(putScript, [epochKey], [replaces, id, runId, bornAt, after]);
}

const readScript = scriptOf(`
local marker = redis.call('HMGET', KEYS[1], 'id', 'runId', 'after')
if not marker[1] then return '' end
return marker[1] .. ' ' .. marker[2] .. ' ' .. marker[3]
`);

const putScript = scriptOf(`
local replaces, id, runId, bornAt, after = unpack(ARGV)
if (redis.call('HGET', KEYS[1], 'id') or '') ~= replaces then return 'kept' end
if bornAt == 'now' then
  local time = redis.call('TIME')
  bornAt = string.format('%.3f', time[1] * 1000 + time[2] / 1000)
end
if bornAt ~= 'same' then redis.call('HSET', KEYS[1], 'bornAt', bornAt) end
redis.call('HSET', KEYS[1], 'id', id, 'runId', runId, 'after', after)
return 'put'
`);

interface Marker {
  id: string;
  runId: string;
  /** The recorded id it was made to replace; empty where there was none. */
  after: string;
}
