import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Line, startLine } from './line.ts';

const START_MS = 100_000;
const DEEP = 100_000;
const nested = `{"a":${'['.repeat(DEEP)}1${']'.repeat(DEEP)}}`;
/** What the API answers, by path. */
const said: Readonly<Record<string, string>> = {
  nested,
  unclosed: '['.repeat(DEEP),
  digits: '{"id":12345678901234567890,"rate":0.1234567890123456789,"neg":-9223372036854775808,"e":1e400}',
  twice: '{"a":1,"a":2}',
  backslashes: JSON.stringify({ text: '\\'.repeat(400_000) }),
};

let line: Line;
let api: Server;

beforeAll(async () => {
  api = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(said[request.url?.slice(1) ?? ''] ?? '{}');
  });
  api.listen(0, '127.0.0.1');
  await once(api, 'listening');
  const { port } = z.object({ port: z.int() }).parse(api.address());
  const url = `http://127.0.0.1:${port}`;
  const egress = { allow: [url], allowPrivate: ['127.0.0.1/32'] };
  const tools = Object.fromEntries(
    Object.keys(said).map((name) => [
      name,
      {
        ...{ name, description: `Reads ${name}.`, labels: ['reads-private'] },
        credential: { name: 'upstream-token', inject: { as: 'bearer' } },
        inputSchema: { type: 'object', properties: {}, additionalProperties: false },
        http: { method: 'GET', url: `${url}/${name}`, egress },
      },
    ]),
  );
  line = await startLine({ tools });
}, START_MS);
afterAll(async () => {
  await line?.[Symbol.asyncDispose]();
  api?.closeAllConnections();
  api?.close();
}, START_MS);

describe('[P-result-as-said] [P-answer-stays-true] an answer of an API', () => {
  test.each(['nested', 'unclosed', 'digits', 'twice'])(
    'that JSON cannot carry is returned as its text, whenever it is asked for: %s',
    async (name) => {
      const idempotencyKey = `key-${name}`;
      const first = await line.call(name, {}, { idempotencyKey });
      expect(first).toMatchObject({ status: 200, body: { outcome: 'succeeded', result: said[name] } });
      const { call = '' } = first.body;
      for (let time = 0; time < 2; time += 1)
        expect(await line.getCall(call)).toMatchObject({
          status: 200,
          body: { call, outcome: 'succeeded', result: said[name] },
        });
      expect(await line.call(name, {}, { idempotencyKey })).toMatchObject({
        status: 200,
        body: { call, replayed: true, result: said[name] },
      });
    },
  );

  test('that is one long text of escapes is returned as JSON', async () => {
    const { status, body } = await line.call('backslashes', {});
    expect(status).toBe(200);
    expect(JSON.stringify(body['result']) === said['backslashes']).toBe(true);
  });
});
