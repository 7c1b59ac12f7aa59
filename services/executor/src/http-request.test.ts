import { Fault } from '@interlock/contracts';
import { Secret } from '@interlock/keys';
import type { HttpTool } from '@interlock/request';
import { describe, expect, test } from 'vitest';
import { buildHttpRequest, injectLease } from './http-request.ts';
import { httpTool } from './tool.fixture.ts';

function toolOf(target: object): HttpTool {
  const { target: built, inputSchema, credential } = httpTool('https://api.example.com', { target });
  if (built.kind !== 'http') throw new TypeError('An HTTP tool has an HTTP target.');
  return { target: built, inputSchema, credential };
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
  const request = build({}, {});
  const credentials = [{ value: new Secret('s3cret'), inject: { as: 'bearer' as const } }];

  test('goes to no other origin than it was leased for', async () => {
    await expect(
      injectLease(request, { credentials, origin: 'https://evil.example' }, 0),
    ).rejects.toMatchObject({ code: 'lease_refused' });
    const { request: injected } = await injectLease(
      request,
      { credentials, origin: 'https://api.example.com' },
      0,
    );
    expect(injected.headers).toHaveProperty('authorization', 'Bearer s3cret');
  });
});
