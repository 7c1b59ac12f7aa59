/** AWS Signature Version 4 step by step from its specification, of a request as it arrived. */
import { createHash, createHmac } from 'node:crypto';
import type { RecordedRequest } from './recorder.ts';

/** Returns the `Authorization` that a request must have. */
export function awsAuthorization(
  { method, url, headers, body }: RecordedRequest,
  { keyId, secret, region, service }: { keyId: string; secret: string; region: string; service: string },
): string {
  const [path = '', query = ''] = url.split('?');
  const pairs = query.split('&').filter((pair) => pair !== '');
  const date = headers['x-amz-date'] ?? '';
  // The host, the media type and every header of AWS's own must be covered.
  const signed = Object.keys(headers)
    .filter((name) => name === 'host' || name === 'content-type' || name.startsWith('x-amz-'))
    .sort();
  const canonical = [
    method,
    path,
    pairs.sort().join('&'),
    ...signed.map((name) => `${name}:${(headers[name] ?? '').trim()}`),
    '',
    signed.join(';'),
    sha256(body),
  ].join('\n');
  const scope = [date.slice(0, 8), region, service, 'aws4_request'];
  const toSign = ['AWS4-HMAC-SHA256', date, scope.join('/'), sha256(canonical)].join('\n');
  const key = scope.reduce<string | Buffer>(
    (one, part) => createHmac('sha256', one).update(part).digest(),
    `AWS4${secret}`,
  );
  const signature = createHmac('sha256', key).update(toSign).digest('hex');
  return `AWS4-HMAC-SHA256 Credential=${keyId}/${scope.join('/')}, SignedHeaders=${signed.join(';')}, Signature=${signature}`;
}

export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
