/**
 * The floor: what a call costs when the services do nothing.
 *
 * A NATS server with the same configuration, the same streams, consumers and accounts; five processes that log in as
 * ingress, decider, limiter, broker and executor and pass events of the same size over the same hops, with the same
 * expectations, acknowledgements and waits. What they leave out is what the services are for: validation, policy,
 * signatures, sealing, limits, the credential and the request to the upstream.
 */
import { fileURLToPath } from 'node:url';
import { startTestBus } from '@interlock/testkit';
import { z } from 'zod';
import { startChild } from './child.ts';
import type { Aim } from './load.ts';

const roles = ['broker', 'executor', 'limiter', 'decider', 'ingress'] as const;
const readySchema = z.object({ url: z.string() });

export interface Floor extends AsyncDisposable {
  aim: Aim;
}

/** Starts the floor on a server of its own. */
export async function startFloor(): Promise<Floor> {
  await using stack = new AsyncDisposableStack();
  const bus = stack.use(await startTestBus());
  const module = fileURLToPath(new URL('./floor-process.ts', import.meta.url));
  let url = '';
  for (const role of roles) {
    const child = stack.use(startChild(module, [role], { ...process.env, ...bus.env }));
    ({ url } = await child.firstMessage(readySchema));
  }
  const owned = stack.move();
  return {
    aim: {
      url: `${url}/v1/calls`,
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer floor' },
      body: JSON.stringify({ tool: 'bench-thing', arguments: { id: 1 } }),
      fits: (status, body) => status === 200 && body.includes('"outcome":"succeeded"'),
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
