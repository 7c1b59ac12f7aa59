/** Request-reply between services: strict on both sides, faults travel with their code. */
import {
  Fault,
  faultCodes,
  parsedJsonSchema,
  type RpcName,
  type RpcReply,
  type RpcRequest,
  rpcSchemas,
  rpcSubject,
} from '@interlock/contracts';
import type { Msg } from '@nats-io/transport-node';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { z } from 'zod';
import { assertUsable, type Connection } from './connection.ts';
import { extractTrace, textOf, tracedHeaders } from './envelope.ts';
import type { BusLog } from './options.ts';

const envelopeSchema = z.union([
  z.strictObject({ ok: parsedJsonSchema }),
  z.strictObject({
    fault: z.strictObject({ code: z.enum(faultCodes), detail: z.string(), pointer: z.string().optional() }),
  }),
]);

const tracer = trace.getTracer('interlock');

/** Answers every request of a verb, from when it resolves. An error that is no Fault is a bug: it is logged, and the caller gets `internal`. */
export function serveRpc<N extends RpcName>(
  connection: Connection,
  log: BusLog,
  name: N,
  answer: (request: RpcRequest<N>) => Promise<RpcReply<N>>,
): Promise<void> {
  const reply = async (message: Msg): Promise<void> => {
    try {
      assertUsable(connection, 'Nothing was done.');
      const parsed = rpcSchemas[name].request.safeParse(parseJson(name, message.data));
      if (!parsed.success)
        throw new Fault('body_invalid', {
          detail: `A request ${name} does not have its shape.`,
          cause: parsed.error,
        });
      message.respond(JSON.stringify({ ok: await answer(parsed.data as RpcRequest<N>) }));
    } catch (error) {
      const fault = error instanceof Fault ? error : new Fault('internal', { cause: error });
      if (fault.code === 'internal')
        log.error({ err: error, rpc: name }, 'could not answer a request: an unexpected error');
      const { code, detail, pointer } = fault;
      message.respond(
        JSON.stringify({ fault: { code, detail, ...(pointer === undefined ? {} : { pointer }) } }),
      );
    }
  };
  const traced = (message: Msg): void =>
    void context.with(extractTrace(message.headers), () =>
      tracer.startActiveSpan(
        `serve ${name}`,
        { kind: SpanKind.SERVER, attributes: { 'rpc.system.name': 'nats', 'rpc.method': name } },
        (span) => reply(message).finally(() => span.end()),
      ),
    );
  return connection.listen(rpcSubject(name), traced, 'interlock');
}

function parseJson(name: RpcName, data: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(data));
  } catch (cause) {
    throw new Fault('body_malformed', { detail: `A request ${name} is not JSON.`, cause });
  }
}

/** Sends a request. Throws the server's Fault, or `dependency_unavailable` when no reply comes in time. */
export async function askRpc<N extends RpcName>(
  connection: Connection,
  name: N,
  request: RpcRequest<N>,
  timeoutMs: number,
): Promise<RpcReply<N>> {
  assertUsable(connection, 'Nothing was asked.');
  return tracer.startActiveSpan(
    `ask ${name}`,
    { kind: SpanKind.CLIENT, attributes: { 'rpc.system.name': 'nats', 'rpc.method': name } },
    async (span) => {
      try {
        const message = await connection.nats.request(rpcSubject(name), JSON.stringify(request), {
          timeout: timeoutMs,
          headers: tracedHeaders({}),
        });
        return parseReply(name, message.data);
      } catch (cause) {
        span.setStatus({
          code: SpanStatusCode.ERROR,
          message: cause instanceof Fault ? cause.code : 'unanswered',
        });
        if (cause instanceof Fault) throw cause;
        throw new Fault('dependency_unavailable', { detail: `No service answered ${name} in time.`, cause });
      } finally {
        span.end();
      }
    },
  );
}

function parseReply<N extends RpcName>(name: N, data: Uint8Array): RpcReply<N> {
  const envelope = envelopeSchema.parse(JSON.parse(textOf(data)));
  if ('fault' in envelope)
    throw new Fault(envelope.fault.code, {
      detail: envelope.fault.detail,
      ...(envelope.fault.pointer === undefined ? {} : { pointer: envelope.fault.pointer }),
    });
  return rpcSchemas[name].reply.parse(envelope.ok) as RpcReply<N>;
}
