/** Ingress on a real bus; the tests act as the console, the decider, the executor and the approver. */
import type { Bus, Delivery } from '@interlock/bus';
import { type Call, type Claim, type RpcRequest, sha256 } from '@interlock/contracts';
import { eventually, makeClaim, makeTool, startTestBus, type TestBus } from '@interlock/testkit';
import { z } from 'zod';
import { ingressService } from './main.ts';

/** An agent, its neighbour in the same tenant, and a stranger of another one. */
export const agentKeys = {
  bot: `ilk_${'a'.repeat(43)}`,
  neighbour: `ilk_${'b'.repeat(43)}`,
  stranger: `ilk_${'c'.repeat(43)}`,
  /** Another enforcement point, which may ask about the others of its tenant. */
  gate: `ilk_${'d'.repeat(43)}`,
  /** May send 1 MiB of arguments an hour. */
  small: `ilk_${'e'.repeat(43)}`,
};

export interface Answered {
  status: number;
  headers: Headers;
  body: z.infer<typeof bodySchema>;
}

export interface IngressFixture extends AsyncDisposable {
  readonly testBus: TestBus;
  readonly executor: Bus;
  readonly decider: Bus;
  /** Every call that the decider received. */
  readonly requested: readonly Delivery<'requested'>[];
  /** Every question for the tools of an agent; those of `bot` are `note` and one that does not exist. */
  readonly offered: readonly RpcRequest<'decider.offer'>[];
  ask(path: string, init?: RequestInit & { key?: string }): Promise<Answered>;
  /** Calls the tool `note`. */
  note(argumentsValue: object, headers?: Record<string, string>, key?: string): Promise<Answered>;
  /** Returns the published call whose only argument is this text. */
  publishedCall(text: string): Promise<Delivery<'requested'>>;
  /** Returns the claim an executor makes of a call. */
  claimOf(call: Call, claimMs: number): Claim;
  /** Reads `/metrics` of the process. */
  metrics(): Promise<string>;
}

/** Outcomes name the call, and problems may. */
const bodySchema = z.looseObject({ call: z.string().default(''), code: z.string().optional() });

const noteTool = makeTool({
  name: 'note',
  inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
});

/** Starts ingress with a tool and three agents. */
export async function startIngress(): Promise<IngressFixture> {
  await using stack = new AsyncDisposableStack();
  const testBus = stack.use(await startTestBus());
  const consoleBus = await testBus.busOf('console');
  await putAgent(consoleBus, { tenant: 'acme', agent: 'bot', key: agentKeys.bot });
  await putAgent(consoleBus, { tenant: 'acme', agent: 'neighbour', key: agentKeys.neighbour });
  await putAgent(consoleBus, { tenant: 'globex', agent: 'bot', key: agentKeys.stranger });
  await putAgent(consoleBus, {
    tenant: 'acme',
    agent: 'gate',
    key: agentKeys.gate,
    roles: ['enforcement-point'],
  });
  await putAgent(consoleBus, {
    tenant: 'acme',
    agent: 'small',
    key: agentKeys.small,
    bytesPerHour: 1_048_576,
  });
  await consoleBus.entries('tools').put('note', noteTool);
  const started = await testBus.start([ingressService]);
  const executor = await testBus.busOf('executor');
  const decider = await testBus.busOf('decider');
  const requested = await collectRequested(decider);
  const offered: RpcRequest<'decider.offer'>[] = [];
  await decider.serve('decider.offer', async (request) => {
    offered.push(request);
    return { tools: request.agent === 'bot' ? ['gone', 'note'] : [], policyDigest: sha256('') };
  });
  await eventually(async () => (await fetch(new URL('/readyz', started.healthUrl))).ok);
  const ask: IngressFixture['ask'] = async (path, { key = agentKeys.bot, headers, ...init } = {}) => {
    const response = await fetch(new URL(path, started.services[0]?.url), {
      ...init,
      headers: { authorization: `Bearer ${key}`, ...headers },
    });
    const body = bodySchema.parse(await response.json());
    return { status: response.status, headers: response.headers, body };
  };
  const owned = stack.move();
  return {
    testBus,
    executor,
    decider,
    requested,
    offered,
    ask,
    metrics: async () => await (await fetch(new URL('/metrics', started.healthUrl))).text(),
    note: async (argumentsValue, headers = {}, key = agentKeys.bot) =>
      await ask('/v1/calls', {
        key,
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ tool: 'note', arguments: argumentsValue }),
      }),
    publishedCall: async (text) => {
      const wanted = JSON.stringify({ text });
      return await eventually(() => requested.find(({ event }) => event.call.arguments === wanted));
    },
    claimOf: (call, claimMs) => makeClaim(call, testBus.keyring, { claimMs, at: Date.now() }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function putAgent(
  consoleBus: Bus,
  {
    tenant,
    agent,
    key,
    roles = [],
    bytesPerHour,
  }: { tenant: string; agent: string; key: string; roles?: string[]; bytesPerHour?: number },
) {
  const nowMs = Date.now();
  await consoleBus.entries('agents').put(`${tenant}.${agent}`, {
    ...{ tenant, agent, user: `user-of-${agent}`, roles, session: `ses-${agent}` },
    keys: [{ keyId: 'k1', hash: sha256(key), createdAt: nowMs, notAfter: nowMs + 3_600_000 }],
    caps: {
      ...{ ratePerSecond: 1_000, burst: 1_000, inFlight: 100 },
      ...(bytesPerHour === undefined ? {} : { bytesPerHour }),
    },
  });
}

async function collectRequested(decider: Bus): Promise<Delivery<'requested'>[]> {
  const requested: Delivery<'requested'>[] = [];
  await decider.step('decider', {
    verb: (delivery) => {
      requested.push(delivery);
      return undefined;
    },
    poison: () => {
      throw new Error('A delivery was handled too often.');
    },
    concurrency: 1,
  });
  return requested;
}
