/** What the demo prints: plain lines, with colours only on a terminal. */
import { styleText } from 'node:util';
import { plain } from '@interlock/cli';

type Style = Parameters<typeof styleText>[0];

const MARGIN = '     ';
const MILLISECONDS = 1_000;

/** Writes the steps to a stream: standard output, or standard error when that is used for JSON. */
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

  /** The end of a step that passed. */
  passed(text: string, tookMs: number): void {
    this.#write(
      `${MARGIN}${this.#styled('green', '✓')} ${plain(text)} ${this.#styled('dim', seconds(tookMs))}\n`,
    );
  }

  /** The end of a step that failed. */
  failed(text: string): void {
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

/** Returns a time as text, in seconds. */
export function seconds(ms: number): string {
  return `${(ms / MILLISECONDS).toFixed(2)} s`;
}
