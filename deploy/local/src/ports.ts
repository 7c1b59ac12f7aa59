/** Ports of a data folder: chosen once, so that addresses stay the same after a restart. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Failure, readIfPresent, writePrivate } from '@interlock/shell';
import { z } from 'zod';

const names = ['ingress', 'console', 'nats'] as const;
type PortName = (typeof names)[number];
export type Ports = Record<PortName, number>;

/**
 * Below what systems give to connections by themselves (from 32768 on): one of those may be gone before a server
 * listens on it, or before its successor does.
 */
const FRESH_FIRST = 16_384;
const FRESH_COUNT = 8_192;
/** Every process begins at ports of its own, so that installations that start side by side do not race for one. */
const OWN_COUNT = 32;
const FRESH_TRIES = 1_024;
let tried = 0;

const portSchema = z.int().min(1).max(65_535);
const portsSchema = z
  .object({ ingress: portSchema, console: portSchema, nats: portSchema } satisfies Record<PortName, unknown>)
  .partial();

/**
 * Returns a free port for each name: the wanted one, else the one it had, else a new one.
 * Throws `port_taken` when a wanted one is in use.
 */
export async function takePorts(file: string, wanted: Partial<Ports>): Promise<Ports> {
  const known = portsSchema.safeParse(parse(await readIfPresent(file)));
  const had = chosen(known.success ? known.data : {});
  const ports: Partial<Ports> = {};
  for (const name of names) ports[name] = await takePort(wanted[name], had[name], name);
  const taken = z.record(z.enum(names), portSchema).parse(ports);
  // A port that something else holds now is this one's again at the next start.
  const remembered = { ...taken, ...had, ...chosen(wanted) };
  await writePrivate(file, `${JSON.stringify(remembered, null, 2)}\n`);
  return taken;
}

function chosen(ports: { readonly [Name in PortName]?: number | undefined }): Partial<Ports> {
  return Object.fromEntries(Object.entries(ports).filter(([, port]) => port !== undefined && port !== 0));
}

async function takePort(wanted: number | undefined, had: number | undefined, name: string): Promise<number> {
  if (wanted !== undefined && wanted !== 0) {
    const port = await listenOnce(wanted);
    if (port !== undefined) return port;
    throw new Failure('port_taken', `Port ${wanted}, wanted for ${name}, is in use.`, {
      next: 'Choose another port.',
    });
  }
  const again = had === undefined ? undefined : await listenOnce(had);
  return again ?? (await freshPort());
}

/** Returns a free port that the system does not give to connections. Throws `port_taken`. */
export async function freshPort(): Promise<number> {
  for (let attempt = 0; attempt < FRESH_TRIES; attempt += 1) {
    const offset = (process.pid * OWN_COUNT + tried) % FRESH_COUNT;
    tried += 1;
    const port = await listenOnce(FRESH_FIRST + offset);
    if (port !== undefined) return port;
  }
  throw new Failure('port_taken', 'No port of 127.0.0.1 is free.');
}

/** Returns the port when it is free right now, and undefined when it is in use. */
async function listenOnce(port: number): Promise<number | undefined> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return typeof address === 'object' ? address?.port : undefined;
  } catch {
    return undefined;
  } finally {
    server.close();
  }
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '{}');
  } catch {
    return {};
  }
}
