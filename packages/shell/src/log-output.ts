/**
 * Where the log goes. Logging never fails a call and never ends a process.
 *
 * L1. A line is with the system before `write` returns: the last lines of a process must not be lost in a buffer.
 * L2. Lines that cannot be written (a full disk, a reader that is slow or gone) wait, up to `WAITING_MAX_BYTES`. Beyond
 *     that the newest are lost, and how many is the next line once writing works again.
 */
import { writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

const STDOUT = 1;
/** Some hundred lines: what leads into an outage is worth more than its repetitions. */
const WAITING_MAX_BYTES = 64 * 1_024;
/** A process that logs nothing more still gets its lines out when the disk has room again. */
const RETRY_MS = 1_000;

/** Writes some of a line and returns how many bytes, as `writeSync` does. */
export type WriteBytes = (bytes: Uint8Array) => number;

/** Makes an output that never throws. */
export function createOutput(write: WriteBytes): DestinationStream {
  const waiting: Buffer[] = [];
  let waitingBytes = 0;
  let lost = 0;
  let retry: NodeJS.Timeout | undefined;

  const add = (line: string) => {
    const bytes = Buffer.from(line, 'utf8');
    waiting.push(bytes);
    waitingBytes += bytes.length;
  };

  /** Writes what waits, in order. A line that was written in part goes on where it stopped. */
  const flush = () => {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      const written = writeOrZero(write, next);
      if (written === 0) return scheduleRetry();
      waitingBytes -= written;
      if (written < next.length) waiting[0] = next.subarray(written);
      else waiting.shift();
      if (waiting.length === 0 && lost > 0) {
        add(lostLine(lost));
        lost = 0;
      }
    }
  };

  const scheduleRetry = () => {
    if (retry !== undefined) return;
    retry = setTimeout(() => {
      retry = undefined;
      flush();
    }, RETRY_MS).unref();
  };

  return {
    write: (line) => {
      if (waitingBytes >= WAITING_MAX_BYTES) lost += 1;
      else add(line);
      flush();
    },
  };
}

/** Standard output: one for the whole process, so that no line begins inside another. */
export const standardOutput: DestinationStream = createOutput((bytes) => writeSync(STDOUT, bytes));

function writeOrZero(write: WriteBytes, bytes: Uint8Array): number {
  try {
    return write(bytes);
  } catch {
    // Nowhere is left to say so: L2 says it later.
    return 0;
  }
}

function lostLine(lost: number): string {
  return `${JSON.stringify({
    level: 'error',
    time: new Date().toISOString(),
    msg: `${lost} lines of the log were lost, because they could not be written`,
  })}\n`;
}
