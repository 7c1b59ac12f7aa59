import { Readable } from 'node:stream';
import type { Peers } from '@interlock/bus';
import { type ReplayEnd, type RpcReply, type RpcRequest, rpcSchemas } from '@interlock/contracts';
import { z } from 'zod';
import { scopeOf } from './audit.ts';
import type { Management } from './management.ts';
import { parseInput, wholeNumberSchema } from './problem.ts';
import type { Route } from './server.ts';

/** The first page may need a read of the whole audit store. */
const PAGE_TIMEOUT_MS = 110_000;
const CLOSE_TIMEOUT_MS = 5_000;

const replaySchema = z.strictObject({
  since: wholeNumberSchema,
  until: wholeNumberSchema.optional(),
  agent: z.string().optional(),
  tool: z.string().optional(),
});

/** The route of replays. A person with rights in some tenants replays the calls of these only. */
export function replayRoutes({ bus, clock }: Management): Route[] {
  return [
    {
      method: 'GET',
      url: '/v1/replay',
      roles: ['operator', 'reader'],
      mediaType: 'application/x-ndjson',
      answer: async ({ person, query }) => {
        const wanted = parseInput(replaySchema, query, 'query_invalid');
        const request = parseInput(
          rpcSchemas['auditor.replay'].request,
          { until: clock.nowMs(), ...wanted, ...scopeOf(person) },
          'query_invalid',
        );
        // An error before the first page is answered as a problem document.
        const first = await ask(bus, request);
        return Readable.from(pagesOf(bus, first), { objectMode: false });
      },
    },
  ];
}

type Reply = RpcReply<'auditor.replay'>;

function ask(bus: Peers, request: RpcRequest<'auditor.replay'>): Promise<Reply> {
  return bus.ask('auditor.replay', request, PAGE_TIMEOUT_MS);
}

/**
 * Yields the lines of one page while the next page is being read, and at the end the line that says that the answer is
 * whole. A client that stops reading ends the replay.
 */
async function* pagesOf(bus: Peers, first: Reply): AsyncGenerator<string> {
  const end: ReplayEnd = { complete: true, calls: 0, unreadable: 0 };
  let page: Reply | undefined = first;
  let next: Promise<Reply> | undefined;
  try {
    while (page !== undefined) {
      next = page.cursor === undefined ? undefined : ask(bus, { cursor: page.cursor });
      // A rejection is handled where this is awaited.
      next?.catch(() => undefined);
      end.calls += page.calls.length;
      end.unreadable += page.unreadable;
      if (page.calls.length > 0) yield page.calls.map((call) => `${JSON.stringify(call)}\n`).join('');
      page = await next;
      next = undefined;
    }
    yield `${JSON.stringify(end)}\n`;
  } finally {
    const left = await next?.catch(() => undefined);
    if (left?.cursor !== undefined)
      await bus
        .ask('auditor.replay', { cursor: left.cursor, close: true }, CLOSE_TIMEOUT_MS)
        // The auditor closes a replay that nobody continues.
        .catch(() => undefined);
  }
}
