/** The messages that a local MCP server writes, one a line. Answers to calls are kept as they are written. */
import { currentSlot, type RequestId, standInFor, type Waiting } from './answer.ts';

const LINE_FEED = 0x0a;

/** A message that the client sends, as far as it matters here. */
interface Sent {
  method?: string;
  id?: RequestId | undefined;
  params?: Readonly<Record<string, unknown>> | undefined;
}

export class McpLines {
  readonly #maxBytes: number;
  /** Requests without an answer. */
  readonly #waiting = new Map<RequestId, Waiting>();
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes note of what the client sends: a request waits for its answer until it is cancelled. */
  sent({ method, id, params }: Sent): void {
    if (method !== undefined && id !== undefined) this.#waiting.set(id, { method, slot: currentSlot() });
    const cancelled = method === 'notifications/cancelled' ? params?.['requestId'] : undefined;
    if (typeof cancelled === 'string' || typeof cancelled === 'number') this.#waiting.delete(cancelled);
  }

  /** Adds what was read. Throws for a line that is too long. */
  append(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes) {
      this.clear();
      throw new RangeError('A line of the local MCP server is too long.');
    }
    this.#chunks.push(chunk);
  }

  /** Returns the next message for the client; undefined where there is no whole line. A line that is not JSON is none. */
  next(): unknown {
    for (let line = this.#readLine(); line !== undefined; line = this.#readLine()) {
      const value = jsonOf(this.#withStandIn(line));
      if (value !== undefined) return value;
    }
    return undefined;
  }

  clear(): void {
    this.#chunks = [];
    this.#bytes = 0;
    this.#waiting.clear();
  }

  /** Every chunk but the last is known to have no line end, so a long line is put together once. */
  #readLine(): string | undefined {
    const last = this.#chunks.at(-1);
    if (last?.includes(LINE_FEED) !== true) return undefined;
    const read = this.#chunks.length === 1 ? last : Buffer.concat(this.#chunks);
    const end = read.indexOf(LINE_FEED);
    const rest = read.subarray(end + 1);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
    return read.toString('utf8', 0, end);
  }

  #withStandIn(line: string): string {
    if (this.#waiting.size === 0) return line;
    let answered: RequestId | undefined;
    const standIn = standInFor(line, (id) => {
      answered = id;
      return this.#waiting.get(id);
    });
    if (answered !== undefined) this.#waiting.delete(answered);
    return standIn?.text ?? line;
  }
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
