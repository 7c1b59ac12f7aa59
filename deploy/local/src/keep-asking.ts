import {
  type ApiClient,
  type Asking,
  askAgain,
  type LoadedConfiguration,
  listTools,
  withKnown,
} from '@interlock/cli';
import { appliedSchema } from '@interlock/contracts';
import { BackOff, repeat, systemClock } from '@interlock/shell';

/** How often it is looked whether there is anything to ask for, and how soon it is asked for again. */
const LOOK_MS = 5_000;
const FIRST_MS = 2_000;
const LONGEST_MS = 60_000;

export interface KeepAskingOptions {
  client: ApiClient;
  /** Reads the configuration as it is now, with which tools must agree before they can be called. */
  load: () => Promise<Pick<LoadedConfiguration, 'checkWith'>>;
  asking: Omit<Asking, 'signal'>;
}

/**
 * Asks the MCP servers of unavailable tools again, while there are any: their tools can be called as soon as their server
 * answers, and nobody has to apply anything. Disposing of it stops it.
 */
export function keepAsking(options: KeepAskingOptions): AsyncDisposable {
  const { report } = options.asking;
  const log = { info: () => undefined, warn: (_: object, line: string) => report(line) };
  const backOff = new BackOff({ firstMs: FIRST_MS, maxMs: LONGEST_MS });
  let waitMs = FIRST_MS;
  const task = 'asking MCP servers that did not answer';
  return repeat(
    { clock: systemClock, log, task, waitMs: () => waitMs, firstWaitMs: FIRST_MS },
    async (signal) => {
      waitMs = backOff.next();
      const found = await askOnce(options, signal);
      if (found !== 'waiting') backOff.reset();
      if (found === 'nothing') waitMs = LOOK_MS;
    },
  );
}

/** Asks for what is unavailable, and applies nothing but tools. */
async function askOnce(
  { client, load, asking }: KeepAskingOptions,
  signal: AbortSignal,
): Promise<'nothing' | 'waiting' | 'answered'> {
  const before = await listTools(client);
  if (before.every(({ unavailable }) => unavailable === undefined)) return 'nothing';
  const answered = await askAgain(before, { ...asking, signal });
  if (answered === undefined) return 'waiting';
  // Asking takes a while, in which somebody may have applied something else: that stays as it is.
  const now = await listTools(client);
  const tools = withKnown(await load(), now, answered);
  const described = tools.filter((tool, index) => tool !== now[index]);
  if (described.length === 0) return 'waiting';
  await client.request({ method: 'POST', path: '/v1/apply', body: { tools }, reply: appliedSchema });
  const names = described.map(({ name }) => name).join(', ');
  asking.report(`the tools of an MCP server that did not answer before can be called now: ${names}`);
  return 'answered';
}
