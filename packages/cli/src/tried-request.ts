/** The request that a call would become, as it is shown: with marks in the places of credentials and identity. */
import type { HttpToolFile, Json } from '@interlock/contracts';

export interface TriedRequest {
  method: string;
  url: string;
  headers: Readonly<Record<string, string>>;
  /** Bytes that are no text are base64. */
  body: { text: string } | { base64: string } | undefined;
}

/** Makes the request as the services would, and sends nothing. Throws the Faults that a call would be refused with. */
export type TryTool = (tool: HttpToolFile, args: Readonly<Record<string, Json>>) => Promise<TriedRequest>;

/** Returns a request as lines. */
export function requestText({ method, url, headers, body }: TriedRequest): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const content = body === undefined ? [] : ['', 'text' in body ? body.text : `${body.base64}  (base64)`];
  return [`${method} ${url}`, ...lines, ...content].join('\n');
}
