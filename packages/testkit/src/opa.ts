import { z } from 'zod';
import { type ServerProcess, startServer } from './processes.ts';

const ANSWER_DEADLINE_MS = 30_000;
const answerSchema = z.object({ result: z.unknown() });

/** An OPA server that holds modules and data, and where it is asked. */
export interface OpaServer extends AsyncDisposable {
  readonly server: ServerProcess;
  /** Asks for a document, such as `interlock/main/decision`, of an input given as JSON. Undefined where OPA has none. */
  ask(document: string, input: string): Promise<unknown>;
}

/** Starts OPA's own server with files of modules (`.rego`) and data (`.json`, `.yaml`). */
export async function startOpa(files: string[]): Promise<OpaServer> {
  const server = await startServer({
    variable: 'INTERLOCK_OPA_BIN',
    program: 'opa',
    prepare: (_, port) => [
      ...['run', '--server', '--disable-telemetry', '--log-level', 'error'],
      ...['--addr', `127.0.0.1:${port}`, ...files],
    ],
    greeting: Buffer.from('GET /health HTTP/1.0\r\n\r\n'),
  });
  return {
    server,
    ask: async (document, input) => {
      const response = await fetch(`http://127.0.0.1:${server.port}/v1/data/${document}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: `{"input":${input}}`,
        signal: AbortSignal.timeout(ANSWER_DEADLINE_MS),
      });
      if (!response.ok) throw new Error(`OPA answers ${response.status}: ${await response.text()}`);
      return answerSchema.parse(await response.json()).result;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
