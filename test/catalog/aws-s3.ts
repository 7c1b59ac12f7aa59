import { sha256 } from './aws-signature.ts';
import type { Operation, Vendor } from './vendor.ts';

const EMPTY = sha256('');
const TEXT = { 'content-type': 'text/plain; charset=utf-8' };
const BYTES = { 'content-type': 'application/octet-stream' };

/** The digest of the body stands in a header, and the signature covers both. */
function operation({ body, headers = {}, ...more }: Operation): Operation {
  return {
    ...more,
    ...(body === undefined ? {} : { body }),
    headers: { ...headers, 'x-amz-content-sha256': body === undefined ? EMPTY : sha256(body) },
  };
}

export const awsS3: Vendor = {
  folder: 'aws-s3',
  origins: ['https://s3.us-east-1.amazonaws.com'],
  service: 'aws',
  seed: { s3: { buckets: [{ name: 'reports' }] } },
  credentials: { 'aws-key': 'AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
  headers: { 'x-amz-date': '20261128T070000Z', authorization: '<signature>' },
  operations: [
    operation({ tool: 's3_list_buckets', request: 'GET /' }),
    operation({
      tool: 's3_put_text',
      args: { bucket: 'reports', key: '2026/a b (1)+.txt', text: 'Grüße', if_none_match: '*' },
      request: 'PUT /reports/2026/a%20b%20%281%29%2B.txt',
      headers: { ...TEXT, 'if-none-match': '*' },
      body: 'Grüße',
    }),
    operation({
      tool: 's3_put_object',
      args: { bucket: 'reports', key: '2026/b.bin', content: 'aGkK' },
      request: 'PUT /reports/2026/b.bin',
      headers: BYTES,
      body: 'hi\n',
    }),
    operation({
      tool: 's3_list_objects',
      args: { bucket: 'reports', prefix: '2026/a b', delimiter: '/', max_keys: 5 },
      request: 'GET /reports?list-type=2&prefix=2026%2Fa%20b&delimiter=%2F&max-keys=5',
    }),
    operation({
      tool: 's3_get_object',
      args: { bucket: 'reports', key: '2026/a b (1)+.txt' },
      request: 'GET /reports/2026/a%20b%20%281%29%2B.txt',
    }),
    operation({
      tool: 's3_head_object',
      args: { bucket: 'reports', key: '2026/b.bin' },
      request: 'HEAD /reports/2026/b.bin',
    }),
    operation({
      tool: 's3_copy_object',
      args: { bucket: 'reports', key: 'c.bin', source_bucket: 'reports', source_key: '2026/b.bin' },
      request: 'PUT /reports/c.bin',
      headers: { 'x-amz-copy-source': '/reports/2026/b.bin' },
    }),
    operation({
      tool: 's3_delete_object',
      args: { bucket: 'reports', key: '2026/b.bin' },
      request: 'DELETE /reports/2026/b.bin',
    }),
  ],
};
