import { type ApiClient, type Asking, askAgain, listTools } from '@interlock/cli';
import { appliedSchema } from '@interlock/contracts';
import { failureOf, systemClock } from '@interlock/shell';

/** How often it is looked whether there is anything to ask for, and how soon it is asked for again. */
const LOOK_MS = 5_000;
const FIRST_MS = 2_000;
const LONGEST_MS = 60_000;

/**
 * Asks the MCP servers of unavailable tools again, while there are any: their tools can be called as soon as their server
 * answers, and nobody has to apply anything. Disposing of it stops it.
 */
export function keepAsking(client: ApiClient, asking: Omit<Asking, 'signal'>): AsyncDisposable {
  const stop = new AbortController();
  const { signal } = stop;
  const asked = (async () => {
    for (let pauseMs = FIRST_MS; !signal.aborted; ) {
      await systemClock.sleep(pauseMs, signal);
      const found = await askOnce(client, { ...asking, signal }).catch((error: unknown) => {
        // The console may not answer for a moment. What is wrong with a server stands in its tools.
        if (!signal.aborted)
          asking.report(`MCP servers could not be asked again: ${failureOf(error).detail}`);
        return 'none' as const;
      });
      if (found === 'none') pauseMs = LOOK_MS;
      else pauseMs = found === 'some' ? FIRST_MS : Math.min(2 * pauseMs, LONGEST_MS);
    }
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await asked.catch(() => undefined);
    },
  };
}

/** Asks for what is unavailable, and applies nothing but tools. `some` can be called now that could not be before. */
async function askOnce(client: ApiClient, asking: Asking): Promise<'none' | 'some' | 'waiting'> {
  const stored = await listTools(client);
  if (stored.every(({ unavailable }) => unavailable === undefined)) return 'none';
  const tools = await askAgain(stored, asking);
  if (tools === undefined) return 'waiting';
  const body = { tools };
  await client.request({ method: 'POST', path: '/v1/apply', body, reply: appliedSchema });
  const still = new Set(tools.flatMap(({ name, unavailable }) => (unavailable === undefined ? [] : [name])));
  const named = stored.flatMap(({ name, unavailable }) =>
    unavailable === undefined || still.has(name) ? [] : [name],
  );
  asking.report(
    `the tools of an MCP server that did not answer before can be called now: ${named.join(', ')}`,
  );
  return 'some';
}
