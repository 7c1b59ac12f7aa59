import { Fault } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import type { HttpTool } from '@interlock/request';
import { describe, expect, test } from 'vitest';
import { buildHttpRequest, injectCredential } from './http-request.ts';
import { httpTool } from './tool.fixture.ts';

function toolOf(target: object): HttpTool {
  const { target: built, inputSchema } = httpTool('https://api.example.com', { target });
  if (built.kind !== 'http') throw new TypeError('An HTTP tool has an HTTP target.');
  return { target: built, inputSchema };
}

const build = (target: object, args: Record<string, unknown>) =>
  buildHttpRequest(toolOf(target), { blog: 'b1', ...args }, 'call_1');

function codeOf(attempt: () => unknown): string {
  try {
    attempt();
    return 'built';
  } catch (cause) {
    if (cause instanceof Fault) return cause.code;
    throw cause;
  }
}

test('no request is built for a destination off the list', () => {
  expect(codeOf(() => build({ url: 'https://evil.example/x' }, {}))).toBe('egress_destination_refused');
});

describe('a credential', () => {
  const request = build({ headers: { 'X-Key': 'mine' }, query: { key: 'mine' } }, {});
  const value = new Secret('s3cret');
  const origin = 'https://api.example.com';

  test.each([
    [
      'goes to no other origin than it was leased for',
      { as: 'bearer' as const },
      'https://evil.example',
      'lease_refused',
    ],
    [
      'does not replace a header of the tool',
      { as: 'header' as const, header: 'x-key', prefix: '' },
      origin,
      'configuration_invalid',
    ],
    [
      'does not replace a parameter of the tool',
      { as: 'query' as const, parameter: 'key' },
      origin,
      'configuration_invalid',
    ],
  ])('%s', (_title, inject, leased, code) => {
    expect(codeOf(() => injectCredential(request, { value, inject, origin: leased }))).toBe(code);
  });

  test('that no header can carry is not sent', () => {
    const odd = { value: new Secret('snow\u2603'), inject: { as: 'bearer' as const }, origin };
    expect(codeOf(() => injectCredential(request, odd))).toBe('credential_unusable');
  });

  test('goes in as bearer, basic, header or query', () => {
    const inject = (how: Parameters<typeof injectCredential>[1]['inject']) =>
      injectCredential(request, { value, inject: how, origin });
    expect(inject({ as: 'bearer' }).request.headers).toHaveProperty('authorization', 'Bearer s3cret');
    expect(inject({ as: 'basic', username: 'ada' }).request.headers).toHaveProperty(
      'authorization',
      `Basic ${btoa('ada:s3cret')}`,
    );
    const header = inject({ as: 'header', header: 'X-Api-Key', prefix: 'Key ' });
    expect(header.request.headers['X-Api-Key']).toBe('Key s3cret');
    expect(header.sensitiveHeaders).toEqual(['X-Api-Key']);
    expect(inject({ as: 'query', parameter: 'token' }).request.url).toBe(`${request.url}&token=s3cret`);
  });
});
