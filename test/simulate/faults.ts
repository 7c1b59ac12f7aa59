/** Makes the faults of a round. Whatever a fault holds up goes on when it ends, also where the round is given up. */
import { cp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { services } from '@interlock/contracts';
import { Queue, systemClock } from '@interlock/shell';
import { eventually, limitWrites, untilStopped } from '@interlock/testkit';
import { emptyRedis } from '../faults/redis.ts';
import type { Line } from '../line.ts';
import { endAll, type Installation, SERVERS, type Server, signalTo } from './installation.ts';
import type { PlannedFault } from './schedule.ts';
import type { Volume } from './volume.ts';

/** On a slow disk what is written waits most of the time. */
const HELD_MS = 250;
const FREE_MS = 60;
/** A server that is just being started again has nothing that stands still. */
const COPIES_MAX = 40;
const RUNS_MS = 60_000;

/** A store that was set back: what was written between the two instants is gone. */
export interface SetBack {
  server: Server;
  copiedAtMs: number;
  putBackAtMs: number;
}

/** The faults of one round. */
export class Faults {
  readonly setBacks: SetBack[] = [];
  /** True once the last of the round is over. */
  over = false;
  readonly #at: Installation;
  readonly #signal: AbortSignal;
  /** What hits the disk as a whole, or a folder on it, happens one after the other. */
  readonly #disk = new Queue();

  constructor(at: Installation, signal: AbortSignal) {
    this.#at = at;
    this.#signal = signal;
  }

  /** Makes a fault and returns when it is over: false where this machine cannot make it. */
  async make(fault: PlannedFault): Promise<boolean> {
    const { line, links, volume, setClock } = this.#at;
    const { kind, target, forMs } = fault;
    switch (kind) {
      case 'kill':
        signalTo(line, target, 'SIGKILL');
        return true;
      case 'pause':
        signalTo(line, target, 'SIGSTOP');
        await this.#last(forMs, () => signalTo(line, target, 'SIGCONT'));
        return true;
      case 'cut':
        links.get(target)?.cut();
        return true;
      case 'stall':
        links.get(target)?.stall();
        await this.#last(forMs, () => links.get(target)?.resume());
        return true;
      case 'clock':
        await setClock(target, fault.offsetMs);
        await this.#last(forMs, () => setClock(target, 0));
        return true;
      case 'empty-redis':
        // A server that is down or paused right now has nothing to forget.
        await emptyRedis(line).catch(() => undefined);
        return true;
      case 'disk-full':
        await this.#disk.run(() => this.#fill(fault));
        return true;
      case 'slow-disk':
        await this.#disk.run(() => this.#slow(fault));
        return true;
      case 'power-cut':
        if (volume === undefined) return false;
        await this.#disk.run(() => this.#cutPower(volume));
        return true;
      case 'set-back':
        await this.#disk.run(() => this.#setBack(fault));
        return true;
      default:
        return kind satisfies never;
    }
  }

  async #last(forMs: number, end: () => unknown): Promise<void> {
    try {
      await systemClock.sleep(forMs, this.#signal);
    } finally {
      await end();
    }
  }

  /** Without a volume, and for one server, the kernel's limit on the size of files lets nothing be written. */
  async #fill({ target, forMs }: PlannedFault): Promise<void> {
    const { line, volume } = this.#at;
    if (target === 'everything' && volume !== undefined) {
      await volume.fill();
      return await this.#last(forMs, () => volume.clear());
    }
    const pids = line.interlock.servers
      .filter(({ name }) => target === 'everything' || name === target)
      .map(({ pid }) => pid);
    const limit = (allowed: 'nothing' | 'everything') =>
      // One that has ended, and was started again, can write.
      Promise.all(pids.map((pid) => limitWrites(pid, allowed).catch(() => undefined)));
    await limit('nothing');
    await this.#last(forMs, () => limit('everything'));
  }

  /** Without a volume the servers are stopped and go on in the same rhythm, which is how they look from outside then. */
  async #slow({ forMs }: PlannedFault): Promise<void> {
    const { line, volume } = this.#at;
    const endMs = performance.now() + forMs;
    while (performance.now() < endMs) {
      if (volume === undefined) {
        for (const name of SERVERS) signalTo(line, name, 'SIGSTOP');
        await this.#last(HELD_MS, () => SERVERS.map((name) => signalTo(line, name, 'SIGCONT')));
      } else await volume.freeze(HELD_MS / 1_000);
      await systemClock.sleep(FREE_MS, this.#signal);
    }
  }

  /** Everything stops at the same instant, what was not flushed is lost, and `up` starts on what is left. */
  async #cutPower(volume: Volume): Promise<void> {
    const { line, data } = this.#at;
    for (const name of [...SERVERS, ...services]) signalTo(line, name, 'SIGSTOP');
    await volume.cutPower();
    await endAll(line);
    await volume.restorePower();
    // The process that it names would be gone, and is this one here.
    await rm(path.join(data, 'up.json'), { force: true });
    this.#signal.throwIfAborted();
    await line.startAgain();
  }

  /** Takes a copy of a server's store, and puts it in the place of the store later, as somebody does who restores a backup. */
  async #setBack({ target, forMs }: PlannedFault): Promise<void> {
    const { line, data } = this.#at;
    const server = SERVERS.find((name) => name === target);
    if (server === undefined) throw new TypeError(`${target} has no store.`);
    const store = path.join(data, server.replace('-server', ''));
    const copy = `${store}.copy`;
    const copiedAtMs = await this.#copy(server, store, copy);
    await systemClock.sleep(forMs, this.#signal);
    await stop(line, server);
    await rename(store, `${store}.before`);
    await rename(copy, store);
    signalTo(line, server, 'SIGKILL');
    this.setBacks.push({ server, copiedAtMs, putBackAtMs: performance.now() });
    await rm(`${store}.before`, { recursive: true });
  }

  /** Copies a store as it is at one instant: the server does nothing while it is copied. Returns when that was. */
  async #copy(server: Server, store: string, copy: string): Promise<number> {
    const { line } = this.#at;
    for (let attempt = 1; ; attempt += 1) {
      const pid = await stop(line, server);
      const copiedAtMs = performance.now();
      try {
        await cp(store, copy, { recursive: true, preserveTimestamps: true });
        // One that was killed, or found to do nothing, and started again meanwhile did something.
        if (pidOf(line, server) === pid) return copiedAtMs;
      } catch (error) {
        if (attempt === COPIES_MAX) throw error;
      } finally {
        signalTo(line, server, 'SIGCONT');
      }
      if (attempt === COPIES_MAX) throw new Error(`The store of ${server} could not be copied.`);
      await rm(copy, { recursive: true, force: true });
      await systemClock.sleep(HELD_MS, this.#signal);
    }
  }
}

/** Has a server do nothing more, once it runs. Returns its process id. */
async function stop(line: Line, server: Server): Promise<number> {
  const pid = await eventually(() => pidOf(line, server), RUNS_MS);
  signalTo(line, server, 'SIGSTOP');
  await untilStopped(pid);
  return pid;
}

function pidOf({ interlock }: Line, server: Server): number | undefined {
  return interlock.servers.find(({ name }) => name === server)?.pid;
}
