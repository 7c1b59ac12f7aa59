/** What the table of docs/streams.md says, computed from the bytes that real calls take in a real installation. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Bus } from '@interlock/bus';
import { buckets, limits, outcomeEntrySchema, outcomeOfSettled, streams } from '@interlock/contracts';
import { eventually, type Observer } from '@interlock/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { joinBus, observeBus } from './inside.ts';
import { type Line, startLine } from './line.ts';

const PAGE = path.resolve(import.meta.dirname, '../docs/streams.md');
const START_MS = 100_000;
const TEST_MS = 60_000;
const DAY_MS = 86_400_000;
/** What is promised to go on for ever with the defaults. */
const SUSTAINED_PER_DAY = 50 * 86_400;
const ALARM_RATIO = 0.6;
/** The documentation may be this much below what is measured: bytes differ with names and arguments. */
const MODEST_RATIO = 0.5;
const CALLS = 8;
/** The arguments of an ordinary call. */
const TEXT = 'An ordinary argument. '.repeat(20);
const UNITS: Readonly<Record<string, number>> = { MiB: 1_048_576, GiB: 1_073_741_824 };

interface Row {
  maxBytes: number;
  keptMs: number | undefined;
  callBytes: number | undefined;
  callsPerDay: number | undefined;
}

let line: Line;
let observer: Observer;
let auditor: Bus;
let rows: Map<string, Row>;
beforeAll(async () => {
  line = await startLine();
  observer = await observeBus(line.interlock);
  auditor = await joinBus(line.interlock, 'auditor');
  rows = rowsOf(await readFile(PAGE, 'utf8'));
}, START_MS);
afterAll(async () => {
  await auditor?.[Symbol.asyncDispose]();
  await observer?.[Symbol.asyncDispose]();
  await line?.[Symbol.asyncDispose]();
}, START_MS);

describe('[P-stream-budgets] the table of streams and buckets', () => {
  test('names each of them with its size', async () => {
    const names = [...Object.keys(streams), ...Object.keys(buckets)];
    expect([...rows.keys()].toSorted()).toEqual(names.toSorted());
    const sizes = await observer.sizes();
    for (const [name, { maxBytes }] of rows)
      expect({ name, maxBytes }).toEqual({ name, maxBytes: sizes.get(streamOf(name))?.maxBytes });
  });

  test('is what NATS may store, however little is free on the disk when it starts', async () => {
    const config = await readFile(path.join(line.interlock.data, 'nats.conf'), 'utf8');
    const sizes = [...(await observer.sizes()).values()];
    const together = sizes.reduce((sum, { maxBytes }) => sum + maxBytes, 0);
    expect(Number(/max_file_store: (\d+)/.exec(config)?.[1])).toBeGreaterThan(together);
  });

  test(
    'says how many calls a day each takes below its alarm, and that is more than fifty a second where every call counts',
    async () => {
      const measured = { ...(await measureCalls()), ...(await measureApprovals()) };
      const documented = [...rows].filter(([, { callsPerDay }]) => callsPerDay !== undefined);
      expect(documented.map(([name]) => name).toSorted()).toEqual(Object.keys(measured).toSorted());
      for (const [name, row] of documented) {
        const bytes = measured[name] ?? Number.NaN;
        const perDay = (ALARM_RATIO * row.maxBytes * DAY_MS) / (bytes * (row.keptMs ?? 0));
        const story = `${name}: ${Math.round(bytes)} bytes a call, ${Math.floor(perDay)} calls a day`;
        expect.soft(row.callsPerDay, story).toBeLessThanOrEqual(perDay);
        expect.soft(row.callsPerDay, story).toBeGreaterThan(MODEST_RATIO * perDay);
        expect.soft(row.callBytes, story).toBeGreaterThanOrEqual(MODEST_RATIO * bytes);
      }
      for (const name of ['LINE', 'LEDGER', 'outcomes'])
        expect(rows.get(name)?.callsPerDay, name).toBeGreaterThanOrEqual(SUSTAINED_PER_DAY);
    },
    TEST_MS,
  );

  test('says how long each is kept', () => {
    const kept = (name: string) => rows.get(name)?.keptMs;
    expect(kept('outcomes')).toBe(buckets.outcomes.maxAgeMs);
    expect(kept('results')).toBe(buckets.results.maxAgeMs);
    // What waits for a checkpoint alone may wait three quarters of an hour more.
    expect(kept('LEDGER')).toBe(limits.eventsKeptMs + 45 * 60_000);
    expect(kept('APPROVALS')).toBe(limits.eventsKeptMs + 45 * 60_000);
  });
});

/** Returns the bytes that a call with an Idempotency-Key takes of each stream that every such call writes. */
async function measureCalls(): Promise<Record<string, number>> {
  await call('first');
  const calls: string[] = [];
  const taken = await takenBy(['LINE', 'LEDGER', 'results'], async () => {
    for (let index = 0; index < CALLS; index += 1) calls.push(await call(`key-${index}`));
  });
  const outcomes = auditor.records('outcomes', outcomeEntrySchema);
  const kept = await takenBy(['outcomes'], async () => {
    for (const id of calls) {
      const settled = await auditor.readStep('settled', 'acme', id);
      if (settled === undefined) throw new Error(`The ledger does not hold ${id}.`);
      await outcomes.put(`acme.${id}`, outcomeOfSettled(settled.body), 0);
    }
  });
  return { ...taken, ...kept };
}

/** Returns the bytes that a call takes about which a person is asked. */
async function measureApprovals(): Promise<Record<string, number>> {
  return await takenBy(['APPROVALS'], async () => {
    for (let index = 0; index < CALLS; index += 1) {
      const { status, body } = await line.call('ask', { text: TEXT });
      expect(status).toBe(202);
      const id = body.call ?? expect.unreachable();
      await line.person('bob').answer(id, 'approve');
      await eventually(async () => (await line.getCall(id, { waitSeconds: 5 })).status === 200);
    }
  });
}

async function call(idempotencyKey: string): Promise<string> {
  const { body } = await line.call('write', { text: TEXT }, { idempotencyKey });
  expect(body.outcome).toBe('succeeded');
  return body.call ?? expect.unreachable();
}

async function takenBy(names: readonly string[], work: () => Promise<void>): Promise<Record<string, number>> {
  const before = await observer.sizes();
  await work();
  const after = await observer.sizes();
  const bytesOf = (sizes: typeof before, name: string) => sizes.get(streamOf(name))?.bytes ?? 0;
  return Object.fromEntries(
    names.map((name) => [name, (bytesOf(after, name) - bytesOf(before, name)) / CALLS]),
  );
}

function streamOf(name: string): string {
  return name in buckets ? `KV_${name}` : name;
}

/** Reads the table: name, size, how long, bytes a call, calls a day. */
function rowsOf(text: string): Map<string, Row> {
  const found = new Map<string, Row>();
  for (const [, name = '', size = '', unit = '', kept = '', bytes = '', calls = ''] of text.matchAll(ROW))
    found.set(name, {
      maxBytes: Number(size) * (UNITS[unit] ?? Number.NaN),
      keptMs: spanOf(kept),
      callBytes: numberOf(bytes),
      callsPerDay: numberOf(calls),
    });
  return found;
}

const ROW = /^\| `(\w+)` *\| ([\d.]+) (MiB|GiB) *\| ([^|]*?) *\| ([\d,]*) *\| ([\d,]*) *\|/gm;

function numberOf(text: string): number | undefined {
  return text === '' ? undefined : Number(text.replaceAll(',', ''));
}

function spanOf(text: string): number | undefined {
  const [, count, unit] = /^(\d+) (min|h)$/.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * (unit === 'h' ? 3_600_000 : 60_000);
}
