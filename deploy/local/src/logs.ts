/**
 * The logs of an installation: one file for each process, which only grows.
 *
 * L1. Of a file no more is read at once than `READ_MAX_BYTES`, however long it or one of its lines is.
 */
import { type FileHandle, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { Failure, systemClock } from '@interlock/shell';
import { dataFiles } from './installation-files.ts';

const POLL_MS = 200;
const READ_MAX_BYTES = 4 * 1_048_576;
const SUFFIX = '.log';

/** One log: the process it belongs to, and its file. */
export interface Log {
  name: string;
  file: string;
}

/** A log together with how far it was read. */
export interface ReadLog {
  log: Log;
  offset: number;
}

/**
 * Returns the logs of a data folder, or those of one service or server and its replicas.
 * Throws `not_running` when there are none, and `log_unknown` when none is of that name.
 */
export async function logsOf(data: string, name: string | undefined): Promise<Log[]> {
  const all = await readFolder(data);
  if (all.length === 0)
    throw new Failure(
      'not_running',
      `The data folder ${data} has no logs: Interlock was never started with it.`,
      {
        next: 'Name the data folder of an installation with --data, or its configuration with --config.',
      },
    );
  const chosen = all.filter((log) => isOf(log, name));
  if (chosen.length > 0) return chosen;
  throw new Failure('log_unknown', `No service or server named ${name} has a log.`, {
    next: `There are logs of: ${all.map((log) => log.name).join(', ')}.`,
  });
}

/** Returns the last lines of a log, and where its last whole line ends. */
export async function endOf({ file }: Log, count: number): Promise<{ lines: string[]; offset: number }> {
  await using handle = await open(file);
  const { size } = await handle.stat();
  const start = Math.max(0, size - READ_MAX_BYTES);
  const { lines, read } = linesIn(await readAt(handle, start));
  return { lines: count === 0 ? [] : lines.slice(-count), offset: start + read };
}

/** Yields every line that is added to the logs after `ends`, those of new logs included, until `signal` aborts. */
export async function* followLogs(
  data: string,
  { service, ends, signal }: { service: string | undefined; ends: readonly ReadLog[]; signal: AbortSignal },
): AsyncGenerator<{ log: Log; line: string }> {
  const offsets = new Map(ends.map(({ log, offset }) => [log.file, offset]));
  while (!signal.aborted) {
    for (const log of (await readFolder(data)).filter((one) => isOf(one, service))) {
      const offset = offsets.get(log.file) ?? 0;
      await using handle = await open(log.file);
      const { lines, read } = linesIn(await readAt(handle, offset));
      offsets.set(log.file, offset + read);
      for (const line of lines) yield { log, line };
    }
    await systemClock.sleep(POLL_MS, signal).catch(() => undefined);
  }
}

async function readFolder(data: string): Promise<Log[]> {
  const { logs } = dataFiles(data);
  const names = await readdir(logs).catch(() => []);
  return names
    .filter((name) => name.endsWith(SUFFIX))
    .sort()
    .map((name) => ({ name: name.slice(0, -SUFFIX.length), file: path.join(logs, name) }));
}

function isOf(log: Log, name: string | undefined): boolean {
  if (name === undefined || log.name === name) return true;
  return log.name.startsWith(`${name}-`) && /^[0-9]+$/.test(log.name.slice(name.length + 1));
}

async function readAt(handle: FileHandle, offset: number): Promise<Buffer> {
  const { size } = await handle.stat();
  const buffer = Buffer.alloc(Math.min(Math.max(0, size - offset), READ_MAX_BYTES));
  const { bytesRead } = await handle.read({ buffer, position: offset });
  return buffer.subarray(0, bytesRead);
}

/** A line that has no end yet is left for later, unless it is as long as what is read at once (L1). */
function linesIn(bytes: Buffer): { lines: string[]; read: number } {
  const last = bytes.lastIndexOf('\n') + 1;
  const read = last === 0 && bytes.byteLength === READ_MAX_BYTES ? bytes.byteLength : last;
  const text = bytes.subarray(0, read).toString('utf8');
  return { lines: text === '' ? [] : text.replace(/\n$/, '').split('\n'), read };
}
