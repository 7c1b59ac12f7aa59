import { expect, test } from 'vitest';
import { type Slot, standInFor } from './answer.ts';
import { EventReader } from './events.ts';

function read(message: string, method: string, slot: Slot | undefined) {
  const standIn = standInFor(message, (id) => (id === 1 ? { method, slot } : undefined));
  return standIn === undefined ? undefined : JSON.parse(standIn.text);
}

test('an answer of one long text with an escape at every letter is cut out whole', () => {
  const content = JSON.stringify([{ type: 'text', text: '\\'.repeat(5_000_000) }]);
  const slot: Slot = { kind: 'call', answer: undefined };
  read(`{"jsonrpc":"2.0","id":1,"result":{"content":${content}}}`, 'tools/call', slot);
  expect(slot.answer?.body === `{"content":${content}}`).toBe(true);
});

test.each([
  ['{"code":-32602,"message":"Missing field title"}'],
  ['{"code":"E_FAIL","message":"string code"}'],
  ['"plain text error"'],
  ['null'],
])('[P-result-as-said] an error of a call is an answer, whatever its shape: %s', (error) => {
  const slot: Slot = { kind: 'call', answer: undefined };
  read(`{"jsonrpc":"2.0","id":1,"error":${error}}`, 'tools/call', slot);
  expect(slot.answer).toEqual({ kind: 'error', isError: true, body: `{"error":${error}}` });
});

test('an error of another request gets a code and a message that the client knows', () => {
  expect(read('{"id":1,"error":"no"}', 'tools/list', undefined).error).toEqual({
    code: -32_000,
    message: '"no"',
  });
});

test.each([
  [
    '{"protocolVersion":"2025-06-18","capabilities":{"tools":{},"prompts":null},"serverInfo":{"name":"s","version":"1"}}',
  ],
  [
    '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s"},"instructions":null}',
  ],
])('a handshake is read without its nulls: %s', (result) => {
  const { serverInfo, ...others } = read(`{"id":1,"result":${result}}`, 'initialize', undefined).result;
  expect(others).toEqual({ protocolVersion: '2025-06-18', capabilities: { tools: {} } });
  expect(serverInfo).toMatchObject({ name: 's', version: expect.any(String) });
});

test('a page of a list is kept as it came, and another one is asked for only where there is one', () => {
  const slot: Slot = { kind: 'list', tools: [] };
  const page = '{"id":1,"result":{"tools":[{"name":"t","_meta":null},7],"nextCursor":null,"ttlMs":1}}';
  expect(read(page, 'tools/list', slot).result).toEqual({ tools: [], ttlMs: 1 });
  expect(
    read('{"id":1,"result":{"tools":null,"nextCursor":"b"}}', 'tools/list', slot).result.nextCursor,
  ).toBe('b');
  expect(slot.tools).toEqual([{ name: 't', _meta: null }, 7]);
});

test('the events of a stream are read whatever ends their lines and wherever its chunks are cut', () => {
  const stream =
    '\uFEFF: hello\ndata: ä\ndata:b\r\n\r\nid: 7\rdata\r\revent: x\n\nid: 8\nretry: 20\ndata: {"c":\ndata: 1}';
  const bytes = Buffer.from(stream);
  for (const size of [1, 2, 3, 7, bytes.length]) {
    const reader = new EventReader();
    const events: string[] = [];
    for (let at = 0; at < bytes.length; at += size)
      events.push(...reader.read(bytes.subarray(at, at + size)));
    expect([...events, ...reader.end()], `${size}`).toEqual(['ä\nb', '', '{"c":\n1}']);
    expect([reader.lastId, reader.retryMs]).toEqual(['8', 20]);
  }
});
