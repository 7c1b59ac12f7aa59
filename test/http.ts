import { z } from 'zod';

/** Longer than the longest answer of any API. */
const TIMEOUT_MS = 200_000;

/** Members that a body of Interlock may have; a body that is no object is empty here, and whole in `text`. */
const bodySchema = z.looseObject({
  call: z.string().optional(),
  outcome: z.string().optional(),
  state: z.string().optional(),
  code: z.string().optional(),
  replayed: z.boolean().optional(),
});

export interface HttpAnswer {
  status: number;
  headers: Headers;
  body: z.infer<typeof bodySchema>;
  text: string;
}

export interface HttpRequest {
  method?: string;
  token?: string;
  /** Sent as JSON. */
  body?: object;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

/** Sends a request and reads the answer whole. Rejects when the connection breaks. */
export async function send(url: URL, request: HttpRequest = {}): Promise<HttpAnswer> {
  const { method = 'GET', token, body, headers, signal } = request;
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(url, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    redirect: 'manual',
    signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: bodySchema.parse(parse(text)), text };
}

function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && !Array.isArray(value) ? (value ?? {}) : {};
  } catch {
    return {};
  }
}
