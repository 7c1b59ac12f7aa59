import { createPrivateKey } from 'node:crypto';
import { type EventBody, sealContext, sha256 } from '@interlock/contracts';
import { createKey, Keyring, seal } from '@interlock/keys';
import { describe, expect, test } from 'vitest';
import { resultOf, showBody } from './results.ts';
import { Waits } from './waits.ts';

const text = '{"answer":42}';
const made = createKey('ingress', 'seal', 1_000);
const privateKey = createPrivateKey({
  key: Buffer.from(made.privateKey, 'base64url'),
  format: 'der',
  type: 'pkcs8',
});
const sealKey = { keyId: made.certified.keyId, privateKey };

function settledWith(body: string): EventBody<'settled'> {
  return {
    tenant: 'acme',
    agent: 'bot',
    call: 'c1',
    tool: 'read',
    at: 0,
    outcome: 'succeeded',
    result: { digest: sha256(body), bytes: Buffer.byteLength(body), mediaType: 'application/json' },
    redactions: 0,
    labels: [],
    executor: 'x',
    keepResult: true,
    argumentsDigest: 'a'.repeat(64),
  };
}

function kept(body: string, context = sealContext('result', 'c1')) {
  const box = seal(body, new Keyring([made.certified]).sealKeysOf('ingress', 0), context);
  return { blobs: { get: async () => Buffer.from(JSON.stringify(box)) }, sealKey };
}

const nothingKept = { blobs: { get: async () => undefined }, sealKey };

describe('[P-result-as-said] a result', () => {
  test.each([
    ['a number that would be rounded', '{"id":12345678901234567890}'],
    ['more digits than a number keeps', '[0.12345678901234567890123]'],
    ['a number that would be infinite', '[1e400]'],
    ['two members of one name', '{"a":1,"b":{"a":2,"\\u0061":3}}'],
    ['more levels than can be written', `${'['.repeat(50_000)}${']'.repeat(50_000)}`],
  ])('with %s is the text that the tool wrote', (_what, body) => {
    expect(showBody(Buffer.from(body), 'application/json')).toEqual({
      result: body,
      mediaType: 'application/json',
    });
  });

  test('whose numbers keep their value is JSON', () => {
    const body =
      '{"a":[{"a":1},{"a":[1,"a","a"]},1.50,1e3,-0.001,0,9007199254740991,1E-7],"12345678901234567890":"12345678901234567890\\""}';
    expect(showBody(Buffer.from(body), 'application/json').result).toEqual(JSON.parse(body));
  });
});

test('[P-result-as-said] a result of one long text with an escape at every letter is JSON', () => {
  const text = '\\'.repeat(4_000_000);
  expect(showBody(Buffer.from(JSON.stringify({ text })), 'application/json').result).toEqual({ text });
});

describe('a result', () => {
  test.each([
    ['another body', kept('{"answer":43}')],
    ["another call's box", kept(text, sealContext('result', 'c2'))],
    ['something that is not a sealed box', { blobs: { get: async () => Buffer.from(text) }, sealKey }],
    ['nothing', nothingKept],
  ])('is absent where %s was kept', async (_, sources) => {
    expect(await resultOf(settledWith(text), undefined, sources)).toEqual({});
  });

  test('is read from what was kept where that is the body that was settled', async () => {
    const shown = await resultOf(settledWith(text), undefined, kept(text));
    expect(shown).toEqual({ result: { answer: 42 }, mediaType: 'application/json' });
  });

  test('[P-result-digest] is taken from the channel only where its digest is the settled one', async () => {
    const waits = new Waits();
    using waiter = waits.open({ tenant: 'acme', agent: 'bot', call: 'c1', making: true });
    waits.deliverBody('c1', Buffer.from('{"answer":43}'));
    waits.deliverBody('c1', Buffer.from(text));
    expect((await resultOf(settledWith(text), waiter, nothingKept)).result).toEqual({ answer: 42 });
  });

  test.each([
    ['{"a":1}', 'application/problem+json; charset=utf-8', { a: 1 }],
    ['{"a":', 'application/json', '{"a":'],
    ['1', 'text/plain', '1'],
  ])('%j of the type %s is answered as %j', (body, mediaType, result) => {
    expect(showBody(Buffer.from(body), mediaType)).toEqual({ result, mediaType });
  });

  test('that is not text is answered in base64', () => {
    expect(showBody(Uint8Array.of(0xff, 0), 'image/png').result).toEqual({ base64: '/wA=' });
  });
});
