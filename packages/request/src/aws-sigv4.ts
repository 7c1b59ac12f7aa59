/** AWS Signature Version 4, by the signer of AWS's own SDK. */
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { HttpRequest } from './request.ts';

export interface AwsSigning {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string | undefined;
  region: string;
  service: string;
  now: Date;
}

/** Returns the headers that sign a request: its host, its media type, its `x-amz-` headers and its body are covered. */
export async function signAws(
  { method, url, headers, body }: HttpRequest,
  { accessKeyId, secretAccessKey, sessionToken, region, service, now }: AwsSigning,
): Promise<Record<string, string>> {
  const { protocol, host, hostname, port, pathname, searchParams } = new URL(url);
  const signer = new SignatureV4({
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    ...{ region, service, sha256: NodeSha256 },
    // S3 signs a path as it is sent; every other service encodes it once more.
    uriEscapePath: service !== 's3',
    applyChecksum: true,
  });
  // AWS refuses a header of its own that no signature covers.
  const covered = Object.entries(headers).filter(([name]) => /^(content-type|x-amz-.*)$/i.test(name));
  const query: Record<string, string[]> = {};
  for (const [name, value] of searchParams) query[name] = [...(query[name] ?? []), value];
  const signed = await signer.sign(
    {
      ...{ method, protocol, hostname, path: pathname, query, body },
      ...(port === '' ? {} : { port: Number(port) }),
      headers: { host, ...Object.fromEntries(covered) },
    },
    { signingDate: now },
  );
  const before = new Set(['host', ...covered.map(([name]) => name.toLowerCase())]);
  return Object.fromEntries(
    Object.entries(signed.headers).filter(([name]) => !before.has(name.toLowerCase())),
  );
}

/** The hash that the signer asks for, from Node. */
class NodeSha256 {
  readonly #secret: string | ArrayBuffer | ArrayBufferView | undefined;
  #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#secret = secret;
    this.#hash = begin(secret);
  }

  update(content: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(content));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    this.#hash = begin(this.#secret);
  }
}

function begin(secret: string | ArrayBuffer | ArrayBufferView | undefined): Hash | Hmac {
  return secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
}

function bytesOf(content: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof content === 'string') return Buffer.from(content);
  return ArrayBuffer.isView(content)
    ? new Uint8Array(content.buffer, content.byteOffset, content.byteLength)
    : new Uint8Array(content);
}
