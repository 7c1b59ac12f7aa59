/** A line on a terminal that shows how far long work has come. Without a terminal nothing is written. */
export interface Progress extends Disposable {
  show(line: string): void;
}

/** Ten times a second is as often as a person can read. */
const EVERY_MS = 100;

/** Opens a progress line on standard error. */
export function openProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  let shownMs = 0;
  let isShown = false;
  return {
    show(line) {
      if (!stream.isTTY || performance.now() - shownMs < EVERY_MS) return;
      shownMs = performance.now();
      isShown = true;
      stream.write(`\r\u001b[K${line}`);
    },
    [Symbol.dispose]() {
      if (isShown) stream.write('\r\u001b[K');
    },
  };
}
