import { connectBus } from '@interlock/bus';
import { questionEntrySchema } from '@interlock/contracts';
import { defineService, run } from '@interlock/shell';
import { authenticator, currentAgent } from './agents.ts';
import { describeDecisionPoint, evaluate, evaluateAll } from './authzen.ts';
import { submit } from './calls.ts';
import { Caps } from './caps.ts';
import { configSchema, readCallIdKey } from './config.ts';
import { Floods } from './flood.ts';
import { Follower } from './follow.ts';
import { describeDoor } from './openapi.ts';
import { buildServer } from './server.ts';
import { watchTools } from './tools.ts';
import { Waits } from './waits.ts';

/** Ingress: the door agents come through. */
export const ingressService = defineService({
  name: 'ingress',
  config: configSchema,
  async start(context) {
    await using stack = new AsyncDisposableStack();
    const { service, natsUrl: url, keys, keyring, clock, log, health, config, replica } = context;
    const callIdKey = await readCallIdKey(config.INTERLOCK_CALL_ID_KEY_FILE);
    const bus = stack.use(await connectBus({ service, url, keys, keyring, clock, log }));
    const agents = stack.use(await bus.entries('agents').watch());
    const toolEntries = stack.use(await bus.entries('tools').watch());
    const floods = stack.use(new Floods({ bus, keyring, clock, log }));
    health.add('bus', () => bus.connected || 'the bus is away');
    health.add('agents', () => agents.current || 'the agents are not read yet');
    health.add('tools', () => toolEntries.current || 'the tools are not read yet');

    const waits = new Waits();
    await bus.onStored('settled', (body) => waits.hear({ step: 'settled', body }));
    await bus.onStored('refused', (body) => waits.hear({ step: 'refused', body }));
    await bus.onStored('asked', (body) => waits.hear({ step: 'asked', body }));
    await bus.onResult(replica, (call, body) => waits.hearBody(call, body));

    const questions = bus.records('questions', questionEntrySchema);
    const results = { blobs: bus.blobs('results'), sealKey: keys.seal };
    const follower = new Follower({ bus, questions, results, waits, keyring, clock, log });
    const tools = watchTools(toolEntries);
    const parts = { bus, follower, tools: tools.get, callIdKey, log, replica };
    const { app, drain } = buildServer({
      authenticate: authenticator(agents),
      callCaps: new Caps(),
      lookCaps: new Caps(),
      onFlood: (agentKey, agent) => floods.add(agentKey, agent),
      submit: (submission) => submit(submission, parts),
      look: (agent, call, waitMs) => follower.look(agent, call, waitMs),
      evaluateCaps: new Caps(),
      evaluate: (body, asking, batch) =>
        (batch === 'one' ? evaluate : evaluateAll)(body, asking, {
          bus,
          tools: tools.get,
          agents: (tenant, agent) => currentAgent(agents, tenant, agent),
          keyring,
          nowMs: () => clock.nowMs(),
        }),
      describeDecisionPoint: (listening) => describeDecisionPoint(config.INTERLOCK_PUBLIC_URL ?? listening),
      listTools: tools.list,
      description: describeDoor(),
      clock,
      log,
    });
    stack.defer(() => drain(() => waits.drain()));
    // A copy: the framework writes into what it is given, and the configuration is frozen.
    const address = await app.listen({ ...config.INTERLOCK_INGRESS_ADDRESS });
    const owned = stack.move();
    return { url: address, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  },
});

if (import.meta.main) await run([ingressService]);
