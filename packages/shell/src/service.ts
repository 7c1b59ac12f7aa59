import type { ServiceName } from '@interlock/contracts';
import type { Keyring, ServiceKeys } from '@interlock/keys';
import type { Logger } from 'pino';
import type { z } from 'zod';
import type { Clock } from './clock.ts';
import type { Health } from './health.ts';

/** What a service gets when it starts. */
export interface ServiceContext<C> {
  readonly service: ServiceName;
  /** Names this process among the replicas of the service. */
  readonly replica: string;
  /** The service's own variables, checked and frozen. */
  readonly config: Readonly<C>;
  /** Where NATS is, and the file with the authorities that certify it, where one is configured. */
  readonly nats: { readonly url: string; readonly caFile?: string };
  readonly keys: ServiceKeys;
  readonly keyring: Keyring;
  readonly log: Logger;
  readonly clock: Clock;
  readonly health: Health;
  /** Aborted when the process is asked to stop: take no new work. */
  readonly signal: AbortSignal;
}

/** A running service. Disposing it drains it: what has not started goes back to NATS. */
export interface RunningService extends AsyncDisposable {
  /** The address of its HTTP server, if it has one. */
  readonly url?: string;
}

/** A service, before it runs: its name, the environment variables it reads, and how it starts. */
export interface ServiceDefinition<C> {
  readonly name: ServiceName;
  /** Keys are names of environment variables; each has a parser from text. */
  readonly config: z.ZodType<C>;
  /** A method, so that definitions with different configurations fit into one list. */
  start(context: ServiceContext<C>): Promise<RunningService>;
}

/** Types a service definition. */
export function defineService<C>(definition: ServiceDefinition<C>): ServiceDefinition<C> {
  return definition;
}
