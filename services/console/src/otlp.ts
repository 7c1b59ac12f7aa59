/**
 * The receiver of OTLP/HTTP with JSON, as far as spans need it. Unknown fields are ignored, as OTLP demands. Why the
 * console has one: docs/decisions/010.
 */
import { timingSafeEqual } from 'node:crypto';
import { Fault, sha256 } from '@interlock/contracts';
import type { Secret } from '@interlock/keys';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parseInput } from './problem.ts';
import type { Span, TraceStore } from './traces.ts';

/** Name of the header that carries the shared token. */
export const TRACE_TOKEN_HEADER = 'interlock-trace-token';
/** Far more than a batch of spans needs. */
const BODY_BYTES = 4 * 1_048_576;
const SPANS_PER_REQUEST = 4_096;
const ATTRIBUTES_PER_SPAN = 64;
const TEXT_LENGTH = 256;
const NANOS_PER_MICRO = 1_000n;
const MICROS_PER_MS = 1_000;
const STATUS_ERROR = 2;

const nanosSchema = z
  .union([z.string().regex(/^[0-9]{1,20}$/), z.int().nonnegative()])
  .transform((nanos) => Number(BigInt(nanos) / NANOS_PER_MICRO) / MICROS_PER_MS);
const hexSchema = z.string().regex(/^[0-9a-fA-F]{1,32}$/);
const attributeSchema = z.object({
  key: z.string(),
  value: z
    .object({
      stringValue: z.string().optional(),
      intValue: z.union([z.string(), z.number()]).optional(),
      doubleValue: z.number().optional(),
      boolValue: z.boolean().optional(),
    })
    .optional(),
});
const spanSchema = z.object({
  traceId: hexSchema,
  spanId: hexSchema,
  parentSpanId: z.union([hexSchema, z.literal('')]).optional(),
  name: z.string(),
  startTimeUnixNano: nanosSchema,
  endTimeUnixNano: nanosSchema,
  attributes: z.array(attributeSchema).default([]),
  status: z.object({ code: z.int().optional() }).optional(),
});
const exportSchema = z.object({
  resourceSpans: z
    .array(
      z.object({
        resource: z.object({ attributes: z.array(attributeSchema).default([]) }).optional(),
        scopeSpans: z.array(z.object({ spans: z.array(spanSchema).default([]) })).default([]),
      }),
    )
    .default([]),
});

/** Adds `POST /otlp/v1/traces`. The token allows adding spans, and nothing else. */
export function addSpanReceiver(server: FastifyInstance, store: TraceStore, token: Secret): void {
  const expected = Buffer.from(sha256(token.reveal()), 'hex');
  server.route({
    method: 'POST',
    url: '/otlp/v1/traces',
    bodyLimit: BODY_BYTES,
    onRequest: async (request) => {
      const sent = request.headers[TRACE_TOKEN_HEADER];
      if (sent === undefined)
        throw new Fault('token_missing', {
          next: `Send the shared token in the header ${TRACE_TOKEN_HEADER}.`,
        });
      if (!timingSafeEqual(Buffer.from(sha256(String(sent)), 'hex'), expected))
        throw new Fault('token_invalid');
    },
    handler: async (request) => {
      for (const span of readSpans(request.body)) store.add(span);
      return {};
    },
  });
}

/** Returns the spans of an `ExportTraceServiceRequest`. Throws `body_invalid`. */
export function readSpans(body: unknown): Span[] {
  const { resourceSpans } = parseInput(exportSchema, body);
  const spans = resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(attributesOf(resource?.attributes ?? [])['service.name'] ?? 'unknown');
    return scopeSpans.flatMap((scope) => scope.spans.map((span) => spanOf(span, service)));
  });
  if (spans.length > SPANS_PER_REQUEST) throw new Fault('body_too_large');
  return spans;
}

function spanOf(span: z.infer<typeof spanSchema>, service: string): Span {
  return {
    traceId: span.traceId.toLowerCase(),
    spanId: span.spanId.toLowerCase(),
    parentSpanId: span.parentSpanId === '' ? undefined : span.parentSpanId?.toLowerCase(),
    name: span.name.slice(0, TEXT_LENGTH),
    service: service.slice(0, TEXT_LENGTH),
    startMs: span.startTimeUnixNano,
    endMs: span.endTimeUnixNano,
    failed: span.status?.code === STATUS_ERROR,
    attributes: attributesOf(span.attributes),
  };
}

function attributesOf(list: z.infer<typeof attributeSchema>[]): Span['attributes'] {
  const pairs = list.slice(0, ATTRIBUTES_PER_SPAN).flatMap(({ key, value = {} }) => {
    const { stringValue, intValue, doubleValue, boolValue } = value;
    const found = stringValue?.slice(0, TEXT_LENGTH) ?? boolValue ?? doubleValue ?? intValue;
    if (found === undefined) return [];
    return [[key.slice(0, TEXT_LENGTH), found === intValue ? Number(found) : found] as const];
  });
  return Object.fromEntries(pairs);
}
