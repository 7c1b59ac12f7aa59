/** A tool that is one HTTP request: how the request is made of the arguments. `@interlock/request` carries it out. */
import { z } from 'zod';
import { egressPolicySchema } from './egress-policy.ts';
import { headerNameSchema } from './headers.ts';

/** Names of parameters and arguments that APIs really use: OData has `$filter`, JSON:API and PHP have `filter[status]`. */
const NAME_LENGTH = 128;
const nameSchema = z.string().min(1).max(NAME_LENGTH);

/** Text in which `{argument}` stands for an argument and `\{` for a brace. */
const templateSchema = z.string().max(16_384);

/** How a list is written: `a=1&a=2`, `a=1,2`, `a=1|2`, `a=1 2`, `a[]=1&a[]=2` or `a[0]=1&a[1]=2`. */
export const listStyleSchema = z.enum(['repeat', 'comma', 'pipe', 'space', 'brackets', 'indices']);
export type ListStyle = z.infer<typeof listStyleSchema>;

const parameterSchema = z.union([
  templateSchema,
  z.strictObject({ value: templateSchema, lists: listStyleSchema.default('repeat') }),
]);

/** Any JSON in which texts are templates. A text that is one placeholder becomes the argument, with its type. */
const jsonTemplateSchema = z.json();

const mediaTypeSchema = z
  .string()
  .max(256)
  .regex(/^[!#$&^_.+a-zA-Z0-9-]+\/[!#$&^_.+a-zA-Z0-9-]+(?:\s*;[\x20-\x7e]*)?$/, 'must be a media type');

const filePartSchema = z.strictObject({
  /** The file's content as base64. */
  file: templateSchema,
  filename: templateSchema.default('file'),
  mediaType: templateSchema.default('application/octet-stream'),
});

/** A mail (RFC 5322): addresses are texts or lists of texts. */
const mailSchema = z.strictObject({
  to: templateSchema,
  cc: templateSchema.optional(),
  bcc: templateSchema.optional(),
  from: templateSchema.optional(),
  replyTo: templateSchema.optional(),
  subject: templateSchema,
  text: templateSchema,
});
export type MailTemplate = z.infer<typeof mailSchema>;

/** One part of a body whose parts have no names: JSON, or bytes given as base64. */
const relatedPartSchema = z.union([
  z.strictObject({ json: jsonTemplateSchema }),
  filePartSchema.omit({ filename: true }),
]);

/** What a request carries. `all` is every argument that nothing else in the request names. */
export const requestBodySchema = z.union([
  z.enum(['all', 'none']),
  z.array(nameSchema).max(256),
  z.strictObject({
    json: jsonTemplateSchema,
    mediaType: mediaTypeSchema.default('application/json'),
  }),
  z.strictObject({
    /** Members inside members are written `a[b]`. */
    form: z.union([z.literal('all'), z.record(nameSchema, jsonTemplateSchema)]),
    lists: listStyleSchema.default('repeat'),
  }),
  z.strictObject({
    multipart: z.union([
      z.literal('all'),
      z.record(nameSchema, z.union([filePartSchema, jsonTemplateSchema])),
    ]),
  }),
  /** RFC 2387: what a file is, and the file. */
  z.strictObject({ related: z.array(relatedPartSchema).min(1).max(16) }),
  z.strictObject({ mail: mailSchema }),
  z.strictObject({ text: templateSchema, mediaType: mediaTypeSchema.default('text/plain; charset=utf-8') }),
  z.strictObject({ base64: templateSchema, mediaType: mediaTypeSchema.default('application/octet-stream') }),
]);
export type RequestBody = z.infer<typeof requestBodySchema>;

export const httpTargetSchema = z.strictObject({
  kind: z.literal('http'),
  method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']),
  /**
   * A URI Template (RFC 6570 levels 1 to 3, lists with `*`) without a fragment. `{argument}` is a path segment or a part
   * of one, `{+argument}` may have slashes, `{?a,b*}` at the end is a query. In the host an argument must be an enum.
   */
  url: z.string().max(2_048),
  headers: z.record(headerNameSchema, templateSchema).default({}),
  /** A parameter with an argument that the call does not have is left out, and so is a header. */
  query: z.record(nameSchema, parameterSchema).default({}),
  body: requestBodySchema.default('all'),
  egress: egressPolicySchema,
  /** Header that carries the call id as the upstream's idempotency key. */
  idempotencyHeader: headerNameSchema.optional(),
  /** Headers of the answer that the agent gets with the result. `Retry-After`, and `Location` of a redirect, need not be listed. */
  responseHeaders: z.array(headerNameSchema).max(32).default([]),
  /** False where an API takes no `Interlock-*` headers and no signature: it then cannot know for whom a call is made. */
  identity: z.boolean().default(true),
});
export type HttpTarget = z.infer<typeof httpTargetSchema>;
