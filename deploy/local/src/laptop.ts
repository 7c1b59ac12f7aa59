import type { Laptop } from '@interlock/demo';
import { startInterlock } from './installation.ts';
import { freshPort } from './ports.ts';
import { untilListening } from './servers.ts';
import { SupervisedProcess } from './supervise.ts';

/** This machine, as the demo plays on it. */
export const laptop: Laptop = {
  startInterlock,
  async startServer({ port, say, signal, ...plan }) {
    const server = new SupervisedProcess({ ...plan, speaks: false }, say);
    await using owned = new AsyncDisposableStack();
    owned.defer(() => server.stop());
    server.start();
    await untilListening(server, port, signal);
    const running = owned.move();
    return { [Symbol.asyncDispose]: () => running.disposeAsync() };
  },
  freePort: freshPort,
};
