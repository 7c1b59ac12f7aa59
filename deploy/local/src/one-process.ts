/**
 * The composition root: runs the services named as arguments in this process, or all of them.
 *
 *     node one-process.ts [SERVICE…]
 */
import { type ServiceName, services } from '@interlock/contracts';
import { run, type ServiceDefinition } from '@interlock/shell';

/** The exit code of the command for wrong arguments. */
const EXIT_USAGE = 2;

/** In the order of their start: the provisioner makes the streams that the others bind to. */
const definitions: Readonly<Record<ServiceName, () => Promise<ServiceDefinition<unknown>>>> = {
  provisioner: async () => (await import('@interlock/provisioner')).provisionerService,
  auditor: async () => (await import('@interlock/auditor')).auditorService,
  broker: async () => (await import('@interlock/broker')).brokerService,
  executor: async () => (await import('@interlock/executor')).executorService,
  limiter: async () => (await import('@interlock/limiter')).limiterService,
  approver: async () => (await import('@interlock/approver')).approverService,
  decider: async () => (await import('@interlock/decider')).deciderService,
  console: async () => (await import('@interlock/console')).consoleService,
  ingress: async () => (await import('@interlock/ingress')).ingressService,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(definitions, name));
if (unknown.length > 0) {
  process.stderr.write(`unknown service: ${unknown.join(', ')}. The services are: ${services.join(', ')}.\n`);
  process.exitCode = EXIT_USAGE;
} else {
  const chosen = Object.entries(definitions).filter(([name]) => wanted.length === 0 || wanted.includes(name));
  await run(await Promise.all(chosen.map(([, load]) => load())));
}
