/** A line with a broker and an executor, and the steps before them made by hand. */
import { brokerService } from '@interlock/broker';
import type { Bus } from '@interlock/bus';
import { type EventBody, sealContext, type Tool } from '@interlock/contracts';
import { seal } from '@interlock/keys';
import {
  type CallParts,
  caller,
  eventually,
  makeCall,
  makeDecided,
  startTestBus,
  startUpstream,
  type TestBus,
  type Upstream,
} from '@interlock/testkit';
import { executorService } from './main.ts';
import { httpTool } from './tool.fixture.ts';

/** What the broker has under the name `blog`, and what the upstream takes. */
export const CREDENTIAL = 'sk-live-0c41d9e2';

export interface Setting {
  testBus: TestBus;
  upstream: Upstream;
  ingress: Bus;
  decider: Bus;
  limiter: Bus;
  console: Bus;
}

let calls = 0;

/** Returns the id that the next call of `admit` gets. */
export function nextCall(): string {
  return `call_${calls + 1}`;
}

/** Returns the buses of the services before the executor. */
export async function settingOf(testBus: TestBus, upstream: Upstream): Promise<Setting> {
  const [ingress, decider, limiter, console] = await Promise.all([
    testBus.busOf('ingress'),
    testBus.busOf('decider'),
    testBus.busOf('limiter'),
    testBus.busOf('console'),
  ]);
  return { testBus, upstream, ingress, decider, limiter, console };
}

/** Starts the line with an upstream that takes the credential. */
export async function startLine(stack: AsyncDisposableStack): Promise<Setting & { stored: unknown }> {
  const testBus = stack.use(await startTestBus());
  const upstream = stack.use(await startUpstream({ credential: CREDENTIAL }));
  const setting = await settingOf(testBus, upstream);
  await testBus.start([brokerService, executorService]);
  const sealed = seal(
    CREDENTIAL,
    testBus.keyring.sealKeysOf('broker', Date.now()),
    sealContext('credential', 'blog'),
  );
  const entry = await setting.console.ask('broker.seal', { name: 'blog', sealed }, 5_000);
  await setting.console.entries('credentials').put('blog', entry);
  return { ...setting, stored: entry };
}

/** Stores a tool that writes posts upstream; each test has its own. */
export async function storedTool(
  more: Parameters<typeof httpTool>[1],
  { upstream, console }: Pick<Setting, 'upstream' | 'console'>,
): Promise<Tool> {
  calls += 1;
  const credential = { name: 'blog', inject: { as: 'bearer' as const } };
  const tool = httpTool(upstream.url, { name: `post_${calls}`, credential, ...more });
  await console.entries('tools').put(tool.name, tool);
  return tool;
}

/** Takes a call down the line to `admitted`, as ingress, decider and limiter do. */
export async function admit(
  tool: Tool,
  parts: CallParts & { decision?: Parameters<typeof makeDecided>[2] },
  { testBus, ingress, decider, limiter }: Omit<Setting, 'upstream' | 'console'>,
): Promise<string> {
  calls += 1;
  const { decision, ...more } = parts;
  const made = makeCall({ tool, call: `call_${calls}`, args: { blog: 'b1', title: 'Hi' }, ...more });
  const { sign } = await testBus.keysOf('decider');
  const body = makeDecided(made, sign, decision);
  const requested = await ingress.publish('requested', made, { call: made }, 0);
  const decided = await decider.publish('decided', made, body, sequenceOf(requested));
  await limiter.publish('admitted', made, { ...body, charges: [] }, sequenceOf(decided));
  return made.call;
}

export function sequenceOf(published: Awaited<ReturnType<Bus['publish']>>): number {
  if (!published.stored) throw new TypeError('The event was not stored.');
  return published.sequence;
}

/** Waits until a call is settled or refused. */
export async function ended(call: string, { ingress }: Pick<Setting, 'ingress'>) {
  return await eventually(async () => {
    const last = await ingress.readCall(caller.tenant, call);
    return last?.step === 'settled' || last?.step === 'refused' ? last : undefined;
  });
}

/** Waits until a call is settled. Throws for one that was refused. */
export async function settled(
  call: string,
  setting: Pick<Setting, 'ingress'>,
): Promise<EventBody<'settled'>> {
  const last = await ended(call, setting);
  if (last.step !== 'settled') throw new TypeError(`The call was refused: ${last.body.code}.`);
  return last.body;
}
