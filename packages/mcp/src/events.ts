/** Server-sent events (WHATWG HTML §9.2) as they come, chunk by chunk. */
import { StringDecoder } from 'node:string_decoder';

/** What ends a line; a carriage return at the end of a chunk may be the first half of an end. */
const LINE_END = /\r\n|\n|\r(?!$)/;

export class EventReader {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  #data: string[] = [];
  #isFirst = true;
  #id: string | undefined;
  #lastId: string | undefined;
  #retryMs: number | undefined;

  /** The id of the last whole event that had one. */
  get lastId(): string | undefined {
    return this.#lastId;
  }

  /** How long a client waits before it connects again, where the server said so. */
  get retryMs(): number | undefined {
    return this.#retryMs;
  }

  /** Returns the data of each event that ends in this chunk; an event without data is left out. */
  read(chunk: Uint8Array): string[] {
    let text =
      this.#rest + this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    if (this.#isFirst && text !== '') {
      this.#isFirst = false;
      text = text.replace(/^\uFEFF/, '');
    }
    const lines = text.split(LINE_END);
    this.#rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.#take(line));
  }

  /** Returns what the end of the stream completes: the last event may lack its empty line. */
  end(): string[] {
    const last = this.#rest.replace(/\r$/, '');
    this.#rest = '';
    return [...(last === '' ? [] : this.#take(last)), ...this.#take('')];
  }

  #take(line: string): string[] {
    if (line !== '') {
      this.#field(line);
      return [];
    }
    const data = this.#data;
    this.#data = [];
    this.#lastId = this.#id ?? this.#lastId;
    return data.length === 0 ? [] : [data.join('\n')];
  }

  #field(line: string): void {
    const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (name === 'data') this.#data.push(value);
    if (name === 'id' && !value.includes('\0')) this.#id = value;
    if (name === 'retry' && /^\d{1,9}$/.test(value)) this.#retryMs = Number(value);
  }
}
