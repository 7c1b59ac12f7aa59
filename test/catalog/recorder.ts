/** Stands before an API, or before nothing: keeps every request as it came, to the byte, and passes it on. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface RecordedRequest {
  method: string;
  /** Path and query as they were sent. */
  url: string;
  /** By lower-case name. */
  headers: Record<string, string>;
  body: Buffer;
}

export class Recorder implements AsyncDisposable {
  readonly requests: RecordedRequest[] = [];
  /** Put before each path that is passed on. */
  prefix = '';
  readonly #server;
  readonly #api: URL;

  private constructor(api: string) {
    this.#api = new URL(api);
    this.#server = createServer((asked, answer) => void this.#record(asked, answer));
  }

  static async before(api: string): Promise<Recorder> {
    const recorder = new Recorder(api);
    recorder.#server.listen(0, '127.0.0.1');
    await once(recorder.#server, 'listening');
    return recorder;
  }

  get origin(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  async #record(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const body = await buffer(asked);
    const { method = '', url = '', rawHeaders } = asked;
    const headers: Record<string, string> = {};
    for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
      const name = (rawHeaders[index] ?? '').toLowerCase();
      const value = rawHeaders[index + 1] ?? '';
      headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
    }
    this.requests.push({ method, url, headers, body });
    const { hostname, port, host } = this.#api;
    const passed = request(
      { hostname, port, method, path: `${this.prefix}${url}`, headers: { ...asked.headers, host } },
      (said) => {
        answer.writeHead(said.statusCode ?? 502, said.headers);
        said.pipe(answer);
      },
    );
    passed.on('error', () => answer.writeHead(502).end());
    passed.end(body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
