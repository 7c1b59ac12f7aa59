/**
 * Whether the server's store takes writes.
 *
 * A server whose disk was full refuses every later write to each stream that it could not write, without an answer, until
 * it is restarted (nats-server 2.15: `setWriteErr`); reads go on. So the server is asked which streams these are, and
 * one bucket is written to find out about the disk before a call does.
 */
import type { StoreHealth } from '@interlock/contracts';
import type { JetStreamClient } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';
import { HEALTH_SUBJECT } from './accounts.ts';

export const PROBES = 'KV_probes';
const PROBE_SUBJECT = '$KV.probes.store';
/** About as much as the events of two calls: a full disk often has room for a few bytes. */
const PROBE_BYTES = 16 * 1_024;
/** A write with its sync takes milliseconds; a busy disk may need longer, a full one never answers. */
const WRITE_MS = 3_000;
/** Where the server already reports a stream that it cannot write. */
const WRITE_SOON_MS = 500;
/** Every server of a cluster answers; the first silence after an answer ends the waiting. */
const ANSWERS_MS = 2_000;
const SILENCE_MS = 200;
/** A person reads the reason. */
const REASON_MAX_CHARACTERS = 300;

const answerSchema = z.object({
  data: z.object({
    errors: z
      .array(z.object({ type: z.string(), stream: z.string().optional(), error: z.string() }))
      .default([]),
  }),
});

/** What one probe found. */
export interface StoreProbe extends StoreHealth {
  /** The streams of which the server itself says so: they take nothing more until it is started again. */
  reported: string[];
}

/** Returns the streams that the server cannot write, with the reason. Never rejects. */
export async function probeStores({
  nats,
  js,
}: {
  nats: NatsConnection;
  js: JetStreamClient;
}): Promise<StoreProbe> {
  const found = await askServers(nats);
  const reported = Object.keys(found);
  const written = await writeProbe(js, reported.length > 0 ? WRITE_SOON_MS : WRITE_MS);
  const unwritable = { ...found, ...(written === undefined ? {} : { [PROBES]: written }) };
  return { unwritable, reported };
}

async function writeProbe(js: JetStreamClient, timeoutMs: number): Promise<string | undefined> {
  try {
    await js.publish(PROBE_SUBJECT, new Uint8Array(PROBE_BYTES), { timeout: timeoutMs });
    return undefined;
  } catch (error) {
    return `a write was not acknowledged (${String(error)})`.slice(0, REASON_MAX_CHARACTERS);
  }
}

/** A server that does not know the question, because we did not configure it, reports nothing. */
async function askServers(nats: NatsConnection): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  try {
    const answers = await nats.requestMany(HEALTH_SUBJECT, JSON.stringify({ details: true }), {
      strategy: 'stall',
      maxWait: ANSWERS_MS,
      stall: SILENCE_MS,
    });
    for await (const message of answers) {
      const { data } = answerSchema.safeParse(message.json());
      for (const { stream, type, error } of data?.data.errors ?? [])
        found[stream ?? type] = error.slice(0, REASON_MAX_CHARACTERS);
    }
  } catch {
    return found;
  }
  return found;
}
