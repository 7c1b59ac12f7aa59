/**
 * Servers that live and do not work are started again.
 *
 * W1. A server that does not answer in its own protocol for `SILENT_MS`, or for `START_MS` after it was started.
 * W2. NATS, once it says that it cannot write a stream: after an error of the disk it takes nothing more for that stream,
 *     also when there is room again. While the disk is full it stays as it is: what is stored can be read, and a restart
 *     would help nothing.
 * W3. The pauses between two such restarts of one server grow, until it works.
 * W4. It is ended by force. What a server acknowledged is on its disk; a NATS that ends in order would write down that it
 *     had stored what the disk did not take, and leave a hole in the stream.
 */
import { statfs } from 'node:fs/promises';
import { BackOff, type Clock, repeat } from '@interlock/shell';
import { z } from 'zod';
import { answers, type Listening, type ServerName } from './server-probes.ts';
import type { Ready, SupervisedProcess } from './supervise.ts';

const CHECK_EVERY_MS = 500;
/** Longer than a server is held up by a busy machine; calls meet a timeout meanwhile. */
const SILENT_MS = 8_000;
/** A server with a large store reads it before it answers. */
const START_MS = 120_000;
const AGAIN_FIRST_MS = 1_000;
/** No longer than everything may take to recover. */
const AGAIN_MAX_MS = 8_000;
/** NATS with less room than this would be where it was after a few calls. */
const ROOM_MIN_BYTES = 16 * 1_048_576;
const READINESS_TIMEOUT_MS = 2_000;

const readinessSchema = z.looseObject({ facts: z.record(z.string(), z.union([z.string(), z.number()])) });
/** What the provisioner says about NATS; undefined where it says nothing. */
interface NatsFacts {
  unwritable: string | undefined;
  filling: string | undefined;
}

/** A server that was started here. */
export interface WatchedServer {
  child: Pick<SupervisedProcess, 'name' | 'starts' | 'pid' | 'signal'>;
  server: ServerName;
  listening: Listening;
}

export interface WatchServersOptions {
  servers: readonly WatchedServer[];
  /** The folder where the servers keep what they store. */
  data: string;
  /** The provisioner as it is now: it asks NATS what it cannot write. */
  provisioner: () => Pick<Ready, 'healthUrl'> | undefined;
  report: (line: string) => void;
  clock: Pick<Clock, 'sleep' | 'monotonicMs'>;
}

/** Watches servers until it is disposed. */
export function watchServers(options: WatchServersOptions): AsyncDisposable {
  const { servers, report, clock } = options;
  const log = { info: () => undefined, warn: (_: object, line: string) => report(line) };
  const watches = servers.map((server) => watchOf(server, options));
  let filling = '';
  return repeat({ clock, log, task: 'watching the servers', waitMs: CHECK_EVERY_MS }, async () => {
    const facts = await factsOf(options.provisioner());
    // The shares change all the time; the names are the news.
    const names = facts === undefined ? filling : (facts.filling ?? '').replaceAll(/ \d+ %/g, '');
    if (names !== filling && names !== '') report(`NATS fills up: ${facts?.filling} (docs/streams.md)`);
    filling = names;
    await Promise.all(watches.map((look) => look(facts)));
  });
}

/** Returns what looks at one server once, and starts it again where that is due. */
function watchOf({ child, server, listening }: WatchedServer, options: WatchServersOptions) {
  const { data, report, clock } = options;
  const backOff = new BackOff({ firstMs: AGAIN_FIRST_MS, maxMs: AGAIN_MAX_MS });
  let silent: { sinceMs: number; starts: number } | undefined;
  /** The start after which it answered. */
  let answered = 0;
  let restartedAtMs = Number.NEGATIVE_INFINITY;
  let pauseMs = 0;
  let isFullReported = false;

  /** Why the server is to be started again; undefined where it works, or may work soon. */
  async function illness(facts: NatsFacts | undefined): Promise<string | undefined> {
    if (!(await answers(server, listening))) {
      // A start of its own, after it ended, begins a new silence.
      if (silent?.starts !== child.starts) silent = { sinceMs: clock.monotonicMs(), starts: child.starts };
      const limitMs = answered === child.starts ? SILENT_MS : START_MS;
      return clock.monotonicMs() - silent.sinceMs >= limitMs ? 'does not answer' : undefined;
    }
    silent = undefined;
    answered = child.starts;
    const streams = server === 'nats-server' ? facts?.unwritable : undefined;
    return streams === undefined ? undefined : `cannot write ${streams}`;
  }

  return async (facts: NatsFacts | undefined): Promise<void> => {
    if (child.pid === undefined) return;
    const why = await illness(facts);
    const sinceMs = clock.monotonicMs() - restartedAtMs;
    if (why === undefined) {
      // W3
      if (silent === undefined && sinceMs >= AGAIN_MAX_MS) {
        backOff.reset();
        pauseMs = 0;
      }
      isFullReported = false;
      return;
    }
    if (sinceMs < pauseMs) return;
    // W2
    if (silent === undefined && !(await hasRoom(data))) {
      if (!isFullReported)
        report(`${child.name} ${why}, and the disk of ${data} is full: make room. It is started again then`);
      isFullReported = true;
      return;
    }
    restartedAtMs = clock.monotonicMs();
    pauseMs = backOff.next();
    silent = undefined;
    report(`${child.name} runs, and ${why}; it is ended and started again`);
    // W4
    child.signal('SIGKILL');
  };
}

/** Asks the provisioner; undefined where it does not answer. */
async function factsOf(provisioner: Pick<Ready, 'healthUrl'> | undefined): Promise<NatsFacts | undefined> {
  if (provisioner === undefined) return undefined;
  try {
    const response = await fetch(new URL('/readyz', provisioner.healthUrl), {
      signal: AbortSignal.timeout(READINESS_TIMEOUT_MS),
    });
    const { facts } = readinessSchema.parse(await response.json());
    // In a process that runs several services a fact bears the service's name.
    const fact = (name: string) => (facts[name] ?? facts[`provisioner.${name}`])?.toString();
    return { unwritable: fact('unwritable'), filling: fact('filling') };
  } catch {
    return undefined;
  }
}

async function hasRoom(folder: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize >= ROOM_MIN_BYTES;
}
