/** The end of what a program writes to its standard error. */

const BYTES_MAX = 4_096;
const LINES_MAX = 10;
/** What a terminal would obey, what nobody sees, and what turns a line round is written as an escape. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/gu;

export class LastWords {
  #tail = Buffer.alloc(0);
  #isKept = true;

  add(chunk: Buffer): void {
    if (!this.#isKept) return;
    this.#tail = Buffer.concat([this.#tail, chunk]).subarray(-BYTES_MAX);
  }

  /** Keeps nothing of what comes from now on. */
  forget(): void {
    this.#isKept = false;
    this.#tail = Buffer.alloc(0);
  }

  /** Returns the last lines, quoted and on one line; empty where there are none. */
  text(): string {
    const lines = this.#tail
      .toString('utf8')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .slice(-LINES_MAX)
      .map((line) => JSON.stringify(line.replaceAll(HIDDEN, escaped)));
    return lines.length === 0 ? '' : ` Its last words: ${lines.join(' ')}.`;
  }
}

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
