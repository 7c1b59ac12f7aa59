import { connectBus } from '@interlock/bus';
import { outcomeEntrySchema, questionEntrySchema } from '@interlock/contracts';
import { type Clock, defineService, proveAddress, run } from '@interlock/shell';
import { authenticator, currentAgent } from './agents.ts';
import { describeDecisionPoint, evaluate, evaluateAll } from './authzen.ts';
import { submit } from './calls.ts';
import { Capacity } from './capacity.ts';
import { Caps } from './caps.ts';
import { configSchema, readCallIdKey } from './config.ts';
import { Doubts } from './doubts.ts';
import { Floods } from './flood.ts';
import { lookUp } from './look-up.ts';
import { describeApi } from './openapi.ts';
import { buildServer } from './server.ts';
import { listOffered, watchTools } from './tools.ts';
import { Volumes } from './volume.ts';
import { Waits } from './waits.ts';

export { compileCheck } from './schema.ts';

/** Bodies that are handled at once; read and parsed, a body takes several times its size. */
const IN_FLIGHT_BYTES = 64 * 1_048_576;
/** A store that does not answer is awaited this long before the door opens. */
const FIRST_COPIES_MS = 5_000;
const FIRST_POLL_MS = 10;

/** Ingress: the HTTP server of the agents' API. */
export const ingressService = defineService({
  name: 'ingress',
  config: configSchema,
  async start(context) {
    await using stack = new AsyncDisposableStack();
    const { service, nats, keys, keyring, clock, log, health, config, replica } = context;
    const callIdKey = await readCallIdKey(config.INTERLOCK_CALL_ID_KEY_FILE);
    const bus = stack.use(await connectBus({ service, nats, keys, keyring, clock, log }));
    const agents = stack.use(await bus.entries('agents').watch());
    const toolEntries = stack.use(await bus.entries('tools').watch());
    const floods = stack.use(new Floods({ bus, keyring, clock, log }));
    health.add('bus', () => bus.ready);
    health.add('agents', () => agents.current || 'the agents are not read yet');
    health.add('tools', () => toolEntries.current || 'the tools are not read yet');

    const waits = new Waits();
    await bus.onStored('settled', (body) => waits.deliver({ step: 'settled', body }));
    await bus.onStored('refused', (body) => waits.deliver({ step: 'refused', body }));
    await bus.onStored('asked', (body) => waits.deliver({ step: 'asked', body }));
    await bus.onResult(replica, (call, body) => waits.deliverBody(call, body));

    const tools = watchTools(toolEntries);
    health.addFact('toolsUnavailable', tools.unavailable);
    const questions = bus.records('questions', questionEntrySchema);
    const outcomes = bus.records('outcomes', outcomeEntrySchema);
    const doubts = stack.use(new Doubts({ bus, questions, outcomes, keyring, clock, log }));
    const parts = {
      ...{ questions, outcomes, doubts },
      volumes: new Volumes({ tenantBytesPerHour: config.INTERLOCK_INGRESS_TENANT_BYTES_PER_HOUR }),
      ...{ bus, waits, keyring, clock, log, callIdKey, replica, tools: tools.get },
      results: { blobs: bus.blobs('results'), sealKey: keys.seal },
      agents: (tenant: string, agent: string) => currentAgent(agents, tenant, agent),
    };
    const { app, drain } = buildServer({
      authenticate: authenticator(agents),
      capacity: new Capacity({ requests: config.INTERLOCK_INGRESS_IN_FLIGHT, bytes: IN_FLIGHT_BYTES }),
      caps: { call: new Caps(), lookUp: new Caps(), evaluate: new Caps() },
      onFlood: (agentKey, agent) => floods.add(agentKey, agent),
      submit: (submission) => submit(submission, parts),
      lookUp: (agent, call, waitMs) => lookUp(agent, call, waitMs, parts),
      evaluate: (body, asking, batch) => (batch === 'one' ? evaluate : evaluateAll)(body, asking, parts),
      describeDecisionPoint: (listening) => describeDecisionPoint(config.INTERLOCK_PUBLIC_URL ?? listening),
      listTools: (agent) => listOffered(agent, { bus, tools }),
      connectionsPerAddress: config.INTERLOCK_INGRESS_CONNECTIONS_PER_ADDRESS,
      prove: (asked) => proveAddress(asked, { type: 'ingressProof', key: keys.sign, nowMs: clock.nowMs() }),
      description: describeApi(),
      clock,
      log,
    });
    stack.defer(() => drain(() => waits.drain()));
    await untilCurrent([agents, toolEntries], clock);
    // A copy: the framework writes into what it is given, and the configuration is frozen.
    const inherited = config.INTERLOCK_INGRESS_FD === undefined ? {} : { fd: config.INTERLOCK_INGRESS_FD };
    const address = await app.listen({ ...config.INTERLOCK_INGRESS_ADDRESS, ...inherited });
    const owned = stack.move();
    return { url: address, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  },
});

/**
 * Waits for the first reading of the copies: a door that opens before would refuse calls that its predecessor still
 * takes. One that waited in vain opens, and answers that it does not know yet.
 */
async function untilCurrent(copies: readonly { readonly current: boolean }[], clock: Clock): Promise<void> {
  const endMs = clock.monotonicMs() + FIRST_COPIES_MS;
  while (!copies.every(({ current }) => current) && clock.monotonicMs() < endMs)
    await clock.sleep(FIRST_POLL_MS);
}

if (import.meta.main) await run([ingressService]);
