import type { Context } from '@interlock/cli';
import type { Environment } from '@interlock/shell';

/** What the demo needs of the machine it runs on: an installation of Interlock, and one more server. */
export interface Machine {
  /** Starts an installation in a data folder and returns it once every service is ready. Throws a `Failure`. */
  startInterlock(options: InstallationOptions): Promise<Installation>;
  /** Starts a program and returns once it listens on its port. Throws `server_failed`. */
  startServer(server: ServerOptions): Promise<AsyncDisposable>;
  /** Returns a port of the loopback interface that nobody listens on. */
  freePort(): Promise<number>;
}

export interface InstallationOptions {
  config: string;
  data: string;
  env: Environment;
  report: (line: string) => void;
  signal: AbortSignal;
}

/** An installation that runs until it is disposed. */
export interface Installation extends AsyncDisposable {
  readonly ingress: string;
  readonly console: string;
  readonly data: string;
  readonly context: Context;
  readonly services: readonly { name: string }[];
  readonly servers: readonly { name: string }[];
}

export interface ServerOptions {
  name: string;
  command: string;
  args: readonly string[];
  env: Environment;
  cwd: string;
  logFile: string;
  port: number;
  report: (line: string) => void;
  signal: AbortSignal;
}
