import { expect, test } from 'vitest';
import { inUtf8 } from './charset.ts';

test.each([
  [
    'text/plain; charset=ISO-8859-1',
    Buffer.from('Gr\xfc\xdfe', 'latin1'),
    'Grüße',
    'text/plain; charset=utf-8',
  ],
  [
    'application/json; charset="iso-8859-1"',
    Buffer.from('{"n":"M\xfc"}', 'latin1'),
    '{"n":"Mü"}',
    'application/json; charset=utf-8',
  ],
  ['text/plain;charset=shift_jis', Buffer.from([0x93, 0xfa]), '日', 'text/plain; charset=utf-8'],
  ['application/problem+json', Buffer.from('\ufeff{"a":1}'), '{"a":1}', 'application/problem+json'],
  ['text/csv', Buffer.from('\ufeffa', 'utf16le'), 'a', 'text/csv'],
  ['text/plain; charset=utf-8', Buffer.from('ü'), 'ü', 'text/plain; charset=utf-8'],
])('[P-result-charset] text in the charset that %s says becomes UTF-8', (mediaType, body, text, shown) => {
  const { bytes, mediaType: said } = inUtf8(body, mediaType);
  expect([Buffer.from(bytes).toString('utf8'), said]).toEqual([text, shown]);
});

test.each([
  ['image/png', Buffer.from([0xff, 0xfe, 0x00])],
  ['application/octet-stream; charset=latin1', Buffer.from([0xfc])],
  ['text/plain; charset=klingon', Buffer.from([0xfc])],
  ['text/plain; charset=utf-16le', Buffer.from([0x00, 0xd8])],
  ['text/plain', Buffer.from([0xfc])],
])('what is no text of a known charset stays as it is: %s', (mediaType, body) => {
  expect(inUtf8(body, mediaType)).toEqual({ bytes: body, mediaType });
});
