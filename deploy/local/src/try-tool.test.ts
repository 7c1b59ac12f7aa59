import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { httpToolFileSchema } from '@interlock/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { interlock } from './command.fixture.ts';
import { copyExample } from './example.ts';
import { tryTool } from './try-tool.ts';

const requestSchema = z.strictObject({
  tool: z.string(),
  method: z.string(),
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  body: z
    .strictObject({ text: z.string() })
    .or(z.strictObject({ base64: z.string() }))
    .optional(),
});

const COMMON = {
  description: 'x',
  inputSchema: {
    type: 'object',
    properties: { id: { type: 'string', maxLength: 20 }, text: { type: 'string' } },
    required: ['id'],
    additionalProperties: false,
  },
};
const egress = { allow: ['api.example.com'] };

/** A tool with a secret in each place that one can have. */
const SECRETS = httpToolFileSchema.parse({
  ...COMMON,
  name: 'secrets',
  http: {
    ...{ method: 'POST', url: 'https://api.example.com/bot{key}/{id}', egress },
    headers: { 'X-Both': 'a {key}' },
    body: { form: { text: '{text}', key: '{key}' } },
    idempotencyHeader: 'Idempotency-Key',
  },
  credential: [
    { name: 'bot', inject: { as: 'placeholder', placeholder: 'key' } },
    { name: 'user', inject: { as: 'basic-username' } },
    { name: 'pass', inject: { as: 'basic-password' } },
    { name: 'app', inject: { as: 'header', header: 'X-App', prefix: 'v1 ' } },
    { name: 'param', inject: { as: 'query', parameter: 'sig' } },
  ],
});
const SIGNED = httpToolFileSchema.parse({
  ...COMMON,
  name: 'signed',
  http: {
    ...{ method: 'PUT', url: 'https://api.example.com/{id}', egress },
    body: { base64: '{text}' },
    identity: false,
  },
  credential: { name: 'aws', inject: { as: 'aws-sigv4', region: 'eu-central-1', service: 's3' } },
});
const ELSEWHERE = httpToolFileSchema.parse({
  ...COMMON,
  name: 'elsewhere',
  http: { method: 'POST', url: 'https://api.example.com/{id}', egress: { allow: ['other.example.com'] } },
});

describe('[P-tools-try] a call that is tried', () => {
  test.each([
    ['an argument that its schema does not take', SECRETS, { id: 1 }, 'arguments_invalid'],
    ['a missing argument', SECRETS, {}, 'arguments_invalid'],
    ['an argument that leaves its place in the URL', SECRETS, { id: '..' }, 'template_argument_refused'],
    ['a destination that its egress does not allow', ELSEWHERE, { id: 'x' }, 'egress_destination_refused'],
  ])('is refused for %s with the code of the line', async (_title, tool, args, code) => {
    await expect(tryTool(tool, args)).rejects.toMatchObject({ code });
  });

  test('shows a mark for every secret and for who calls', async () => {
    const { headers, ...request } = await tryTool(SECRETS, { id: 'a b', text: 'hi & {key}' });
    expect(request).toEqual({
      method: 'POST',
      url: 'https://api.example.com/bot[secret bot]/a%20b?sig=[secret param]',
      body: { text: 'text=hi+%26+%7Bkey%7D&key=[secret bot]' },
    });
    expect(headers).toMatchObject({
      'X-Both': 'a [secret bot]',
      'Idempotency-Key': '[id of the call]',
      'content-type': 'application/x-www-form-urlencoded',
      authorization: 'Basic [secret]',
      'X-App': 'v1 [secret app]',
      'user-agent': 'interlock',
      'Interlock-User': '[who calls, and for whom]',
      Signature: '[who calls, and for whom]',
    });
    expect(JSON.stringify([headers, request])).not.toMatch(/x[0-9a-f]{24}/);
  });

  test('shows what is made when it is sent, and bytes that are no text', async () => {
    const { headers, body } = await tryTool(SIGNED, { id: 'k', text: '/w==' });
    expect(body).toEqual({ base64: '/w==' });
    expect(headers).toEqual({
      'content-type': 'application/octet-stream',
      authorization: '[signature]',
      'x-amz-date': '[when it is sent]',
      'x-amz-content-sha256': 'a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89',
      'user-agent': 'interlock',
    });
  });
});

describe('[P-tools-try] interlock tools try', () => {
  let parent: string;
  let config: string;
  const run = (tool: string, json: string, ...more: string[]) =>
    interlock(['tools', 'try', tool, json, '--config', config, ...more]);

  beforeAll(async () => {
    parent = await mkdtemp(path.join(tmpdir(), 'interlock-try-'));
    config = path.join(parent, 'my-interlock');
    await copyExample('quickstart', config);
  });
  afterAll(() => rm(parent, { recursive: true, force: true }));

  test('makes no call without --dry-run', async () => {
    const { code, stderr } = await run('read-note', '{"id": 1}');
    expect(code).toBe(2);
    expect(stderr).toMatch(/needs --dry-run/);
  });

  test('refuses with the code of the line', async () => {
    const { code, stdout, stderr } = await run('read-note', '{"id": 0}', '--dry-run');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^interlock: arguments_invalid: /);
  });

  test('refuses a tool of an MCP server, whose request is not known before', async () => {
    const { code, stderr } = await run('files_write_file', '{}', '--dry-run');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^interlock: tool_of_server: /);
  });

  test('prints a request as it would leave', async () => {
    const { code, stdout } = await run('read-note', '{"id": 1}', '--dry-run');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^GET http:\/\/127\.0\.0\.1:8090\/notes\/1\nauthorization: Bearer \[secret notes-token\]\n/,
    );
  });

  test('prints it as JSON', async () => {
    const { stdout } = await run('add-note', '{"title": "a", "body": "b"}', '--dry-run', '--json');
    expect(requestSchema.parse(JSON.parse(stdout))).toMatchObject({
      ...{ tool: 'add-note', method: 'POST', url: 'http://127.0.0.1:8090/notes' },
      body: { text: '{"title":"a","body":"b"}' },
    });
  });
});
