import { createHash, createHmac } from 'node:crypto';
import { credentialUsesSchema, Fault, httpTargetSchema, type injectionSchema } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { type Credential, injectCredentials, placeholderValues, secretsOf } from './credentials.ts';
import { buildRequest } from './request.ts';

const NOW = new Date('2026-11-28T07:00:00Z');

/** Builds a request and puts credentials into it: a value for each use. */
async function inject(
  target: object,
  uses: readonly (readonly [value: string, inject: z.input<typeof injectionSchema>])[],
  args: Record<string, unknown> = {},
) {
  const credential = credentialUsesSchema.parse(
    uses.map(([, how], index) => ({ name: `c${index}`, inject: how })),
  );
  const credentials: Credential[] = credential.map((use, index) => ({
    value: new Secret(uses[index]?.[0] ?? ''),
    inject: use.inject,
  }));
  const parsed = httpTargetSchema.parse({
    ...{
      kind: 'http',
      method: 'POST',
      url: 'https://api.example.com/x',
      egress: { allow: ['api.example.com'] },
    },
    ...target,
  });
  const request = buildRequest(
    { target: parsed, inputSchema: {}, credential },
    args,
    'call_1',
    placeholderValues(credentials),
  );
  return { ...(await injectCredentials(request, credentials, NOW)), credentials };
}

async function codeOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return 'built';
  } catch (cause) {
    if (cause instanceof Fault) return cause.code;
    throw cause;
  }
}

describe('a credential', () => {
  test('goes in as bearer, basic, header or query', async () => {
    const { request } = await inject({}, [
      ['s3cret', { as: 'bearer' }],
      ['key', { as: 'header', header: 'DD-API-KEY' }],
      ['app', { as: 'header', header: 'client_id', prefix: 'Key ' }],
      ['tok', { as: 'query', parameter: 'token' }],
    ]);
    expect(request.headers).toMatchObject({
      authorization: 'Bearer s3cret',
      'DD-API-KEY': 'key',
      client_id: 'Key app',
    });
    expect(request.url).toBe('https://api.example.com/x?token=tok');
    const basic = await inject({}, [['pw', { as: 'basic', username: 'ada' }]]);
    expect(basic.request.headers).toHaveProperty('authorization', `Basic ${btoa('ada:pw')}`);
  });

  test('in the query leaves what stands there as it is', async () => {
    const target = {
      url: 'https://api.example.com/x{?fields}',
      query: { q: 'a b', $filter: '1', tags: { value: '{tags}', lists: 'comma' } },
    };
    const args = { fields: ['x,y', 'z'], tags: ['a,b', 'c'] };
    const { request } = await inject(target, [['k &+1', { as: 'query', parameter: 'key' }]], args);
    expect(request.url).toBe(
      'https://api.example.com/x?fields=x%2Cy,z&q=a%20b&$filter=1&tags=a%2Cb,c&key=k%20%26%2B1',
    );
  });

  test('makes basic authentication with another one', async () => {
    const { request, secrets } = await inject({}, [
      ['pw', { as: 'basic-password' }],
      ['AC1', { as: 'basic-username' }],
    ]);
    expect(request.headers).toHaveProperty('authorization', `Basic ${btoa('AC1:pw')}`);
    expect(secrets.map((secret) => secret.reveal())).toEqual(expect.arrayContaining(['pw', 'AC1', 'AC1:pw']));
  });

  test('goes into a path, a form and text by its placeholder, and no argument takes its place', async () => {
    const placeholder = [['12:ab/c', { as: 'placeholder', placeholder: 'token' }]] as const;
    const args = { token: 'mine', text: 'hi' };
    const url = 'https://api.example.com/bot{token}/send';
    const inForm = { body: { form: { token: '{token}', text: '{text}' } } };
    const path = await codeOf(inject({ url }, [...placeholder], args));
    expect(path).toBe('template_argument_refused');
    const form = await inject(inForm, [...placeholder], args);
    expect(Buffer.from(form.request.body ?? []).toString()).toBe('token=12%3Aab%2Fc&text=hi');
    const all = await inject({ url: 'https://api.example.com/{token}' }, [['t1', placeholder[0][1]]], args);
    expect(all.request.url).toBe('https://api.example.com/t1');
    expect(Buffer.from(all.request.body ?? []).toString()).toBe('{"text":"hi"}');
  });

  test.each([
    ['a header of the tool', { headers: { 'X-Key': 'mine' } }, { as: 'header', header: 'x-key' }],
    ['a parameter of the tool', { query: { key: 'mine' } }, { as: 'query', parameter: 'key' }],
  ] as const)('does not replace %s', async (_title, target, how) => {
    expect(await codeOf(inject(target, [['s', how]]))).toBe('configuration_invalid');
  });

  test('that no place can carry is not sent', async () => {
    expect(await codeOf(inject({}, [['snow\u2603', { as: 'bearer' }]]))).toBe('credential_unusable');
    expect(
      await codeOf(
        inject({}, [
          ['a:b', { as: 'basic-username' }],
          ['p', { as: 'basic-password' }],
        ]),
      ),
    ).toBe('credential_unusable');
    expect(
      await codeOf(inject({}, [['id-only', { as: 'aws-sigv4', region: 'eu-west-1', service: 's3' }]])),
    ).toBe('credential_unusable');
  });
});

describe('a request to AWS', () => {
  const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
  const aws = { as: 'aws-sigv4', region: 'eu-central-1', service: 's3' } as const;

  test('is signed over its host, path, query, media type, own headers and body', async () => {
    const target = {
      method: 'PUT',
      url: 'https://bucket.s3.example.com/{+key}',
      headers: { 'X-Amz-Acl': 'private', 'X-Other': 'left out' },
      query: { tagging: '{tag}' },
      egress: { allow: ['bucket.s3.example.com'] },
      body: { text: '{text}' },
    };
    const args = { key: 'a b/c.txt', tag: 'x y', text: 'hello' };
    const { request } = await inject(target, [[`AKIDEXAMPLE:${secret}:session/token+1`, aws]], args);
    const { headers } = request;
    expect(headers['x-amz-date']).toBe('20261128T070000Z');
    expect(headers['x-amz-security-token']).toBe('session/token+1');
    // The signature of the specification, computed here step by step.
    const bodyDigest = sha256('hello');
    expect(headers['x-amz-content-sha256']).toBe(bodyDigest);
    const canonical = [
      ...['PUT', '/a%20b/c.txt', 'tagging=x%20y'],
      'content-type:text/plain; charset=utf-8',
      'host:bucket.s3.example.com',
      'x-amz-acl:private',
      `x-amz-content-sha256:${bodyDigest}`,
      'x-amz-date:20261128T070000Z',
      'x-amz-security-token:session/token+1',
      '',
      'content-type;host;x-amz-acl;x-amz-content-sha256;x-amz-date;x-amz-security-token',
      bodyDigest,
    ].join('\n');
    const scope = '20261128/eu-central-1/s3/aws4_request';
    const toSign = ['AWS4-HMAC-SHA256', '20261128T070000Z', scope, sha256(canonical)].join('\n');
    const key = ['20261128', 'eu-central-1', 's3', 'aws4_request'].reduce<string | Buffer>(
      hmac,
      `AWS4${secret}`,
    );
    expect(headers['authorization']).toBe(
      `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/${scope}, SignedHeaders=content-type;host;x-amz-acl;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=${hmac(key, toSign).toString('hex')}`,
    );
  });

  test('keeps secret what signs it, whole and in parts', async () => {
    const { credentials } = await inject({}, [[`AKID:${secret}`, aws]]);
    expect(secretsOf(credentials).map((one) => one.reveal())).toEqual([`AKID:${secret}`, secret]);
  });
});

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
