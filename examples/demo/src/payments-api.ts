/**
 * The API of the demo: json-server with json-server-auth, two programs from npm that know nothing of Interlock and
 * answer 401 to a request without one of their tokens.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Secret } from '@interlock/keys';
import { Failure, processEnvironment } from '@interlock/shell';
import { z } from 'zod';
import { parsed } from './expect.ts';
import type { Machine } from './machine.ts';

const HOST = '127.0.0.1';
const ANSWER_TIMEOUT_MS = 10_000;
const PASSWORD_BYTES = 18;
const PRELOAD = fileURLToPath(new URL('./express-of-json-server.ts', import.meta.url));
const EMPTY = { users: [], payments: [], notes: [] };
/** 660: reading and writing need a token. 600: a user can read itself alone. */
const GUARDS = { users: 600, payments: 660, notes: 660 };

const registeredSchema = z.object({ accessToken: z.string().min(1) });
const paymentSchema = z.object({
  id: z.number(),
  payee: z.string(),
  amount: z.number(),
  reference: z.string(),
});
export type Payment = z.infer<typeof paymentSchema>;

export interface PaymentsApi extends AsyncDisposable {
  readonly url: string;
  /** The credential, which the API itself issued. */
  readonly token: Secret;
  /** Returns all payments. */
  payments(): Promise<Payment[]>;
  /** Writes a note and returns its number. */
  addNote(text: string): Promise<number>;
  /** Returns the answer of the API to a payment without a credential. */
  payWithoutToken(payment: Omit<Payment, 'id'>): Promise<{ status: number; body: unknown }>;
}

export interface PaymentsApiOptions {
  startServer: Machine['startServer'];
  /** Folder for its data. */
  folder: string;
  port: number;
  report: (line: string) => void;
  signal: AbortSignal;
}

/** Starts the API and registers a user of it. Throws `server_failed`, or `program_missing`. */
export async function startPaymentsApi(options: PaymentsApiOptions): Promise<PaymentsApi> {
  const { startServer, folder, port, report, signal } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const database = path.join(folder, 'db.json');
  const routes = path.join(folder, 'routes.json');
  await writeFile(database, JSON.stringify(EMPTY));
  await writeFile(routes, JSON.stringify(GUARDS));
  const { PATH, HOME } = processEnvironment();
  const at = ['--port', String(port), '--host', HOST, '--routes', routes, '--quiet'];
  await using owned = new AsyncDisposableStack();
  owned.use(
    await startServer({
      name: 'json-server-auth',
      command: process.execPath,
      args: ['--import', PRELOAD, findProgram(), database, ...at],
      // It writes its routes to the folder for temporary files.
      env: { PATH, HOME, TMPDIR: folder },
      cwd: folder,
      logFile: path.join(folder, 'api.log'),
      port,
      report,
      signal,
    }),
  );
  const url = `http://${HOST}:${port}`;
  const token = await register(url, signal);
  const running = owned.move();
  return {
    url,
    token,
    payments: async () =>
      parsed(
        'The list of payments',
        z.array(paymentSchema),
        await requestAs(token, `${url}/payments`, { signal }),
      ),
    addNote: async (text) => {
      const note = await requestAs(token, `${url}/notes`, { signal, body: { text } });
      return parsed('The note', z.object({ id: z.number() }), note).id;
    },
    payWithoutToken: (payment) => request(`${url}/payments`, { signal, body: payment }),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function findProgram(): string {
  try {
    return createRequire(import.meta.url).resolve('json-server-auth/dist/bin.js');
  } catch (cause) {
    throw new Failure('program_missing', 'json-server-auth is not installed.', {
      cause,
      next: 'The demo runs in a clone of the repository: npm run demo.',
    });
  }
}

async function register(url: string, signal: AbortSignal): Promise<Secret> {
  const password = randomBytes(PASSWORD_BYTES).toString('base64url');
  const body = { email: 'bookkeeping@acme.example', password };
  const registered = await request(`${url}/register`, { signal, body });
  return new Secret(parsed('The registration', registeredSchema, registered.body).accessToken);
}

interface RequestOptions {
  signal: AbortSignal;
  /** Sent with POST when present. */
  body?: object;
}

async function requestAs(token: Secret, url: string, options: RequestOptions): Promise<unknown> {
  return (await request(url, options, { authorization: `Bearer ${token.reveal()}` })).body;
}

async function request(
  url: string,
  { signal, body }: RequestOptions,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url, {
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]),
  });
  const answer: unknown = await response.json();
  return { status: response.status, body: answer };
}
