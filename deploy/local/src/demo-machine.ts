import type { Machine } from '@interlock/demo';
import { startInterlock } from './installation.ts';
import { freshPort } from './ports.ts';
import { untilListening } from './servers.ts';
import { SupervisedProcess } from './supervise.ts';

/** This machine, as the demo uses it. */
export const machine: Machine = {
  startInterlock,
  async startServer({ port, report, signal, ...spec }) {
    const server = new SupervisedProcess({ ...spec, reportsReady: false }, report);
    await using owned = new AsyncDisposableStack();
    owned.defer(() => server.stop());
    server.start();
    await untilListening(server, port, signal);
    const running = owned.move();
    return { [Symbol.asyncDispose]: () => running.disposeAsync() };
  },
  freePort: freshPort,
};
