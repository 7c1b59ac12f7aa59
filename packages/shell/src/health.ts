import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { metricsText } from './metrics.ts';
import { cutUnreadRequests, headMistake } from './strict-http.ts';

/** Probes are small and quick: anything larger is refused. */
const REQUEST_TIMEOUT_MS = 5_000;
const CONNECTIONS_MAX = 64;
const HEADER_MAX_BYTES = 8 * 1024;
/** An idle connection is kept this long, for a scraper's next request. */
const KEEP_ALIVE_MS = 5_000;

/** The checks and facts at `/readyz`: a process is ready when every check holds. */
export interface Health {
  /** Adds a check. It must be cheap: it runs at every probe. A text is the reason why it does not hold. */
  add(name: string, check: () => true | string): void;
  /** Adds a fact listed at `/readyz`, such as the policy's digest. */
  addFact(name: string, fact: () => string | number | undefined): void;
}

/** The body of `/readyz`. */
export interface Readiness {
  ready: boolean;
  /** `true`, or why the check does not hold. */
  checks: Record<string, true | string>;
  facts: Record<string, string | number>;
}

/** Collects the checks and facts of the services of one process. */
export class HealthBoard implements Health {
  readonly #checks = new Map<string, () => true | string>();
  readonly #facts = new Map<string, () => string | number | undefined>();

  add(name: string, check: () => true | string): void {
    this.#checks.set(name, check);
  }

  addFact(name: string, fact: () => string | number | undefined): void {
    this.#facts.set(name, fact);
  }

  /** Returns the part of the board that belongs to one of several services. */
  part(prefix: string): Health {
    return {
      add: (name, check) => this.add(`${prefix}.${name}`, check),
      addFact: (name, fact) => this.addFact(`${prefix}.${name}`, fact),
    };
  }

  /** Runs every check. A check that throws does not hold. */
  read(): Readiness {
    const checks = Object.fromEntries([...this.#checks].map(([name, check]) => [name, resultOf(check)]));
    const facts = [...this.#facts].flatMap(([name, fact]) => {
      const value = fact();
      return value === undefined ? [] : [[name, value] as const];
    });
    return {
      ready: Object.values(checks).every((held) => held === true),
      checks,
      facts: Object.fromEntries(facts),
    };
  }
}

export interface HealthServer extends AsyncDisposable {
  readonly url: string;
}

/**
 * Serves `/healthz` (the process answers), `/readyz` (JSON, 503 when a check does not hold) and `/metrics`
 * (Prometheus text) on a port of their own. Rejects when the address cannot be listened on.
 */
export async function startHealthServer(
  board: HealthBoard,
  { host, port }: { host: string; port: number },
): Promise<HealthServer> {
  const server = createServer(
    {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: HEADER_MAX_BYTES,
    },
    (request, response) => void answer(board, request, response),
  );
  server.maxConnections = CONNECTIONS_MAX;
  cutUnreadRequests(server);
  server.listen(port, host);
  await once(server, 'listening');
  return {
    url: urlOf(server),
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(board: HealthBoard, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, contentType, text } = await page(board, request);
  response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : text);
}

interface Page {
  status: number;
  contentType: string;
  text: string;
}

async function page(board: HealthBoard, request: IncomingMessage): Promise<Page> {
  const { method, url = '/' } = request;
  const mistake = headMistake(request);
  if (mistake !== undefined) return plain(400, `${mistake}\n`);
  if (method !== 'GET' && method !== 'HEAD') return plain(405, 'Method not allowed. Use GET.\n');
  switch (url.split('?', 1)[0]) {
    case '/healthz':
      return plain(200, 'ok\n');
    case '/readyz': {
      const readiness = board.read();
      const text = `${JSON.stringify(readiness)}\n`;
      return { status: readiness.ready ? 200 : 503, contentType: 'application/json', text };
    }
    case '/metrics':
      return await metricsPage();
    default:
      return plain(404, 'Not found. Use /healthz, /readyz or /metrics.\n');
  }
}

async function metricsPage(): Promise<Page> {
  try {
    return { status: 200, ...(await metricsText()) };
  } catch {
    return plain(500, 'A metric could not be read.\n');
  }
}

function plain(status: number, text: string): Page {
  return { status, contentType: 'text/plain; charset=utf-8', text };
}

function resultOf(check: () => true | string): true | string {
  try {
    return check();
  } catch {
    return 'the check itself failed';
  }
}

function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new TypeError('The health server has no TCP address.');
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}
