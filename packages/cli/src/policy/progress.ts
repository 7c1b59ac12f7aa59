/** A line on a terminal that says how far long work is. Anywhere else nothing is written. */
export interface Progress extends Disposable {
  show(line: string): void;
}

/** Ten times a second is as often as anybody reads. */
const EVERY_MS = 100;

/** Opens a progress line on standard error. */
export function openProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  let saidMs = 0;
  let shown = false;
  return {
    show(line) {
      if (!stream.isTTY || performance.now() - saidMs < EVERY_MS) return;
      saidMs = performance.now();
      shown = true;
      stream.write(`\r\u001b[K${line}`);
    },
    [Symbol.dispose]() {
      if (shown) stream.write('\r\u001b[K');
    },
  };
}
