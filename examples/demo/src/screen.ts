/** What the demo prints as it goes: calm lines, and colours only where a terminal shows them. */
import { styleText } from 'node:util';
import { plain } from '@interlock/cli';

type Style = Parameters<typeof styleText>[0];

const MARGIN = '     ';
const MILLISECONDS = 1_000;

/** Writes the story to a stream: standard output, or standard error where that is taken by JSON. */
export class Screen {
  readonly #stream: NodeJS.WriteStream;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  /** The head of a part. */
  heading(text: string): void {
    this.#write(`\n${this.#styled('bold', text)}\n`);
  }

  /** The head of a step. */
  step(number: number, text: string): void {
    this.#write(`\n${this.#styled('bold', `${String(number).padStart(3)}  ${text}`)}\n`);
  }

  /** One or more lines of a step. Text from outside is cleaned of control characters. */
  line(text: string): void {
    this.#write(`${plain(text).replaceAll(/^/gm, MARGIN)}\n`);
  }

  /** The end of a step whose promises were kept. */
  kept(text: string, tookMs: number): void {
    this.#write(
      `${MARGIN}${this.#styled('green', '✓')} ${plain(text)} ${this.#styled('dim', seconds(tookMs))}\n`,
    );
  }

  /** The end of a step of which something did not hold. */
  broken(text: string): void {
    this.#write(`${MARGIN}${this.#styled('red', `✗ ${plain(text)}`)}\n`);
  }

  /** Text as it is, from the first column. */
  text(text: string): void {
    this.#write(`${plain(text)}\n`);
  }

  #styled(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#stream });
  }

  #write(text: string): void {
    this.#stream.write(text);
  }
}

/** Returns a time in words a reader compares at a glance. */
export function seconds(ms: number): string {
  return `${(ms / MILLISECONDS).toFixed(2)} s`;
}
