/**
 * One request and its answer: waiting → started → answered | failed.
 *
 * X1. It starts when the connection is ready and nothing has been written. The limit of the claim is checked there and
 *     not earlier, because connecting may have taken long.
 * X2. It starts once. A client that would write a second time is stopped: the effect may have happened.
 * X3. The first end counts; later ones are ignored.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { decodeBody, tooLarge } from './decode.ts';
import { explainFailure } from './explain.ts';
import { EgressFault } from './fault.ts';
import { type HeaderList, headerValue, headerValues } from './headers.ts';

/** The answer over one connection, decoded. */
export type Answer = { status: number; headers: HeaderList; body: Uint8Array };

/** The part of an HTTP client's controller that is needed to stop it. */
export type Controller = { abort(reason: Error): void };

/** Whether an answer is read far enough: called with each chunk as it comes, and the headers. */
export type IsEnough = (chunk: Uint8Array, headers: HeaderList) => boolean;

type ExchangeOptions = {
  mayStart: () => boolean;
  signal: AbortSignal;
  maxResponseBytes: number;
  isEnough: IsEnough | undefined;
};

/** Observes one request of an HTTP client and returns its answer. */
export class Exchange {
  readonly answer: Promise<Answer>;
  readonly #options: ExchangeOptions;
  readonly #settle: PromiseWithResolvers<Answer>;
  readonly #onAbort: () => void;
  readonly #chunks: Uint8Array[] = [];
  #receivedBytes = 0;
  #controller: Controller | undefined;
  #started = false;
  #over = false;
  #status = 0;
  #headers: HeaderList = [];

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#settle = Promise.withResolvers<Answer>();
    this.answer = this.#settle.promise;
    this.#onAbort = () => this.#fail(options.signal.reason);
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
    if (options.signal.aborted) this.#onAbort();
  }

  /** Called when the connection is ready and the first byte is next (X1, X2). */
  onRequestStart(controller: Controller): void {
    if (this.#over) {
      controller.abort(new Error('The request has ended.'));
      return;
    }
    const again = this.#controller !== undefined;
    this.#controller = controller;
    if (again) this.#fail(new Error('The HTTP client tried to send the request again.'));
    else if (this.#options.mayStart()) this.#started = true;
    else this.#fail(notStarted());
  }

  onResponseStart(_controller: Controller, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = listHeaders(headers);
    const announced = Number(headerValue(this.#headers, 'content-length') ?? 0);
    if (announced > this.#options.maxResponseBytes) this.#fail(tooLarge(this.#options.maxResponseBytes));
  }

  onResponseData(_controller: Controller, chunk: Uint8Array): void {
    if (this.#over) return;
    this.#receivedBytes += chunk.byteLength;
    if (this.#receivedBytes > this.#options.maxResponseBytes) {
      this.#fail(tooLarge(this.#options.maxResponseBytes));
      return;
    }
    this.#chunks.push(chunk);
    if (this.#isEnough(chunk)) this.#succeedEarly();
  }

  onResponseEnd(): void {
    const encoding = headerValues(this.#headers, 'content-encoding').join(',');
    const maxBytes = this.#options.maxResponseBytes;
    decodeBody(Buffer.concat(this.#chunks), { encoding, maxBytes }).then(
      (body) => this.#succeed(body),
      (cause: unknown) => this.#fail(cause),
    );
  }

  onResponseError(_controller: Controller | undefined, cause: Error): void {
    this.#fail(cause);
  }

  /** What is encoded cannot be judged before its end. */
  #isEnough(chunk: Uint8Array): boolean {
    const { isEnough } = this.#options;
    if (isEnough === undefined || this.#status > LAST_SUCCESS) return false;
    return headerValue(this.#headers, 'content-encoding') === undefined && isEnough(chunk, this.#headers);
  }

  /** The rest of the answer is not read, so its connection is of no further use. */
  #succeedEarly(): void {
    this.#succeed(Buffer.concat(this.#chunks));
    this.#controller?.abort(new Error('Nothing more of the answer is wanted.'));
  }

  #succeed(body: Uint8Array): void {
    if (this.#over) return;
    this.#end();
    const decoded = headerValue(this.#headers, 'content-encoding') !== undefined;
    const headers = decoded ? this.#headers.filter(([name]) => !DESCRIBES_ENCODED.has(name)) : this.#headers;
    this.#settle.resolve({ status: this.#status, headers, body });
  }

  #fail(cause: unknown): void {
    if (this.#over) return;
    this.#end();
    const fault = explainFailure(cause, this.#started ? 'maybe' : 'no');
    this.#settle.reject(fault);
    this.#controller?.abort(fault);
  }

  #end(): void {
    this.#over = true;
    this.#options.signal.removeEventListener('abort', this.#onAbort);
  }
}

const LAST_SUCCESS = 299;

/** Headers about the encoded body, which would be wrong about the decoded one. */
const DESCRIBES_ENCODED: ReadonlySet<string> = new Set(['content-encoding', 'content-length', 'content-md5']);

function listHeaders(headers: IncomingHttpHeaders): HeaderList {
  return Object.entries(headers).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const values = typeof value === 'string' ? [value] : value;
    return values.map((single) => [name.toLowerCase(), single] as const);
  });
}

function notStarted(): EgressFault {
  return new EgressFault('egress_expired', {
    sent: 'no',
    detail: 'The claim ran out before the connection was ready. Nothing was sent.',
  });
}
