import { expect, test } from 'vitest';
import { answerOf, eventsIn } from './answer.ts';

test('an answer of one long text with an escape at every letter is cut out whole', () => {
  const content = JSON.stringify([{ type: 'text', text: '\\'.repeat(5_000_000) }]);
  const message = `{"jsonrpc":"2.0","id":1,"result":{"content":${content}}}`;
  expect(answerOf(message, (id) => id === 1)?.answer.body === `{"content":${content}}`).toBe(true);
});

test('the events of a stream are read whatever ends their lines', () => {
  const stream = '\uFEFF: hello\ndata: a\ndata:b\r\n\r\nid: 7\rdata\r\revent: x\n\ndata: {"c":\ndata: 1}';
  expect(eventsIn(stream)).toEqual(['a\nb', '', '{"c":\n1}']);
});
