import { z } from 'zod';
import { jsonSchemaSchema, toolLabelSchema } from './entries.ts';
import { faultCodes } from './faults.ts';
import { idSchema, instantMsSchema } from './ids.ts';

/** `POST /v1/calls`: what an agent asks for. */
export const callRequestSchema = z.strictObject({
  tool: idSchema,
  arguments: z.record(z.string(), z.json()),
  purpose: z.string().max(1_000).optional(),
});
export type CallRequest = z.infer<typeof callRequestSchema>;

/** The outcome of a call that was carried out, or may have been. */
export const callOutcomeSchema = z.strictObject({
  call: idSchema,
  outcome: z.enum(['succeeded', 'failed', 'unknown']),
  /** JSON where the upstream answered JSON, else its text. Absent when it was not kept or is not known. */
  result: z.json().optional(),
  mediaType: z.string().optional(),
  upstreamStatus: z.int().optional(),
  code: z.enum(faultCodes).optional(),
  /** True when the outcome was stored earlier and this answer repeats it. */
  replayed: z.boolean().optional(),
});
export type CallOutcome = z.infer<typeof callOutcomeSchema>;

/** 202: a person is asked, or the call is still under way. */
export const callPendingSchema = z.strictObject({
  call: idSchema,
  state: z.enum(['held', 'running']),
  expiresAt: instantMsSchema.optional(),
});
export type CallPending = z.infer<typeof callPendingSchema>;

/** A problem document (RFC 9457). */
export const problemSchema = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string(),
  code: z.enum(faultCodes),
  rule: z.string().optional(),
  call: idSchema.optional(),
  /** JSON Pointer (RFC 6901) to the fault in the request's body. */
  pointer: z.string().optional(),
  /** What the caller can do. */
  next: z.string(),
});
export type Problem = z.infer<typeof problemSchema>;

/** `GET /v1/tools`. */
export const toolListSchema = z.strictObject({
  tools: z.array(
    z.strictObject({
      name: idSchema,
      title: z.string().optional(),
      description: z.string(),
      labels: z.array(toolLabelSchema),
      inputSchema: jsonSchemaSchema,
    }),
  ),
});
