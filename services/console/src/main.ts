import { readFile } from 'node:fs/promises';
import { connectBus } from '@interlock/bus';
import { Fault } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { defineService, PROOF_PATH, proveAddress, Queue, run } from '@interlock/shell';
import { agentRoutes } from './agents.ts';
import { applyRoutes } from './apply.ts';
import { approvalRoutes } from './approvals.ts';
import { auditRoutes } from './audit.ts';
import { type ConsoleConfig, consoleConfigSchema } from './config.ts';
import { credentialRoutes } from './credentials.ts';
import { emergencyRoutes } from './emergencies.ts';
import { killRoutes } from './kill.ts';
import { labelRoutes } from './labels.ts';
import type { Management } from './management.ts';
import { addSpanReceiver } from './otlp.ts';
import { seedPeople } from './people.ts';
import { personRoutes } from './people-routes.ts';
import { policyRoutes } from './policy-routes.ts';
import { replayRoutes } from './replay.ts';
import { buildServer, listen } from './server.ts';
import { settingRoutes } from './settings.ts';
import { openSwitches, type Switches } from './switches.ts';
import { toolRoutes } from './tools.ts';
import { traceRoutes } from './trace-routes.ts';
import { TraceStore } from './traces.ts';

const TRACE_TOKEN_LENGTH_MIN = 32;

/** The console: the management API, and the only writer of signed entries. */
export const consoleService = defineService({
  name: 'console',
  config: consoleConfigSchema,
  start: async (context) => {
    const { config, service, nats, keys, keyring, clock, log, health } = context;
    const traceToken = await readTraceToken(config);
    await using owned = new AsyncDisposableStack();
    const bus = owned.use(await connectBus({ service, nats, keys, keyring, clock, log }));
    if (config.INTERLOCK_PEOPLE_FILE !== undefined)
      await seedPeople(bus, clock, config.INTERLOCK_PEOPLE_FILE);
    const people = owned.use(await bus.entries('people').watch());
    const queue = new Queue();
    const management: Management = {
      bus,
      clock,
      log,
      keys,
      keyring,
      people,
      inTurn: (operation) => queue.run(operation),
    };
    const switches = owned.use(openSwitches({ bus, clock, log }));
    const store = new TraceStore();
    const server = buildServer({
      management,
      hosts: config.INTERLOCK_CONSOLE_HOSTS,
      routes: routesOf(management, switches, store),
    });
    server.get(PROOF_PATH, (request) =>
      proveAddress(request, { type: 'consoleProof', key: keys.sign, nowMs: clock.nowMs() }),
    );
    if (traceToken !== undefined) addSpanReceiver(server, store, traceToken);
    owned.defer(() => server.close());
    const url = await listen(server, config.INTERLOCK_CONSOLE_ADDRESS);
    health.add('bus', () => bus.ready);
    health.add('people', () => people.current || 'the list of people may be out of date');
    const open = owned.move();
    return { url, [Symbol.asyncDispose]: () => open.disposeAsync() };
  },
});

function routesOf(management: Management, switches: Switches, store: TraceStore) {
  return [
    ...toolRoutes(management),
    ...applyRoutes(management),
    ...agentRoutes(management),
    ...personRoutes(management),
    ...credentialRoutes(management),
    ...approvalRoutes(management),
    ...killRoutes(management, switches),
    ...emergencyRoutes(management),
    ...policyRoutes(management),
    ...auditRoutes(management),
    ...replayRoutes(management),
    ...labelRoutes(management),
    ...settingRoutes(management),
    ...traceRoutes(management, store),
  ];
}

/** Returns the token that senders of spans need, or undefined where no spans are accepted. */
async function readTraceToken(config: ConsoleConfig): Promise<Secret | undefined> {
  const { INTERLOCK_TRACES: traces, INTERLOCK_TRACE_TOKEN_FILE: file } = config;
  if (traces === 'off' || file === undefined) return undefined;
  const token = (await readFile(file, 'utf8')).trim();
  if (token.length >= TRACE_TOKEN_LENGTH_MIN) return new Secret(token);
  throw new Fault('configuration_invalid', {
    detail: `INTERLOCK_TRACE_TOKEN_FILE: expected at least ${TRACE_TOKEN_LENGTH_MIN} characters in the file.`,
  });
}

if (import.meta.main) await run([consoleService]);
