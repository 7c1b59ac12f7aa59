/**
 * The fence around a port that outlives the process which listens on it. `up` holds the socket, and the process inherits
 * it: while that one is started again, connections wait in the socket's queue and none is refused, and its successor can
 * listen beside it.
 *
 * Node has no public way to bind a socket without taking connections from it. This is the one that its module `cluster`
 * uses for the same purpose.
 */
import net from 'node:net';
import { Failure } from '@interlock/shell';
import { z } from 'zod';

const IPV4 = 4;

/** A socket that is bound to a port. Disposing it closes it, and those that inherited it keep theirs. */
export interface HeldPort extends Disposable {
  readonly fd: number;
}

/** Node's own handle of a socket. */
interface Handle {
  readonly fd: number;
  getsockname(found: object): number;
  close(): void;
}

const handleSchema = z.custom<Handle>(
  (value) => value instanceof Object && ['fd', 'getsockname', 'close'].every((name) => name in value),
);
const boundSchema = z.object({ port: z.int() });

/** Binds a socket to a port of an IPv4 address. Throws `port_taken`. */
export function holdPort(host: string, port: number): HeldPort {
  const create = z
    .function({ input: [z.string(), z.int(), z.int()], output: z.unknown() })
    .implement(Reflect.get(net, '_createServerHandle'));
  const { success, data: handle } = handleSchema.safeParse(create(host, port, IPV4));
  const found = {};
  if (success) handle.getsockname(found);
  if (!success || boundSchema.safeParse(found).data?.port !== port) {
    handle?.close();
    throw new Failure('port_taken', `Port ${port} cannot be held: something else took it.`, {
      next: 'Start again, or choose another port.',
    });
  }
  return { fd: handle.fd, [Symbol.dispose]: () => handle.close() };
}
